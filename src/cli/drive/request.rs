//! The one request that `drive` sends, from its flags.

use std::path::Path;

use super::Args;
use crate::error::{Context, Error, Result};
use crate::files;
use crate::load::plan::Fixed;
use crate::load::url::Url;

/// A body is held in memory and sent again and again.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// What is sent again and again.
pub(super) fn of(args: &Args, url: &Url) -> Result<Fixed> {
    let body = match &args.body {
        Some(text) => body(text)?,
        None => Vec::new(),
    };
    let with_body = if args.body.is_some() { "POST" } else { "GET" };
    let method = args.method.clone().unwrap_or_else(|| with_body.into()).to_ascii_uppercase();
    let mut host = url.host.clone();
    let mut headers = Vec::new();
    for text in &args.headers {
        let (name, value) = header(text)?;
        if name.eq_ignore_ascii_case("host") {
            host = value;
        } else {
            headers.push((name, value));
        }
    }
    Ok(Fixed {
        name: format!("{method} {}", url.path),
        method,
        path: url.path.clone(),
        host,
        headers,
        body,
        expect_status: args.expect_status,
    })
}

fn header(text: &str) -> Result<(String, String)> {
    match text.split_once(':') {
        Some((name, value)) => Ok((name.trim().into(), value.trim().into())),
        None => {
            Err(Error::usage(format!("`{text}` is no header")).help("write it as 'name: value'"))
        }
    }
}

fn body(text: &str) -> Result<Vec<u8>> {
    let Some(path) = text.strip_prefix('@') else { return Ok(text.into()) };
    files::read(Path::new(path), BODY_BYTES_MAX).usage(|| format!("cannot read the body {path}"))
}
