//! What may stand in the head of a request, said before anything is sent.

use super::template::Template;
use crate::load::rejected::InvalidRequest;

/// Headers that frame the request.
const OWN: [&str; 4] = ["content-length", "transfer-encoding", "expect", "connection"];

/// A method: `GET`, `POST`, ..
pub fn check_method(method: &str) -> Result<(), InvalidRequest> {
    let upper = !method.bytes().any(|b| b.is_ascii_lowercase());
    if is_token(method) && upper {
        return Ok(());
    }
    Err(InvalidRequest::new(format!("`{}` is no HTTP method", method.escape_debug()))
        .help("write GET, POST, PUT, PATCH, DELETE or HEAD"))
}

/// A path with its query.
///
/// # Errors
/// When it does not start with a slash or has spaces or other than ASCII in it.
pub fn check_path(path: &Template, shown: &str) -> Result<(), InvalidRequest> {
    if path.starts_with("/") && path.all_bytes(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(InvalidRequest::new(format!("`{}` is no path", shown.escape_debug()))
        .help("a path starts with / and spaces in it are written %20"))
}

/// A header.
///
/// # Errors
/// When its name is no token, its value is not one line of ASCII, or it is one that the generator sets.
pub fn check_header(name: &str, value: &Template) -> Result<(), InvalidRequest> {
    if !is_token(name) || !value.all_bytes(|b| b == b'\t' || (b' '..=b'~').contains(&b)) {
        return Err(InvalidRequest::new(format!(
            "the header `{}` cannot be sent",
            name.escape_debug()
        ))
        .help("write it as 'name: value' in visible ASCII"));
    }
    if OWN.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return Err(InvalidRequest::new(format!("the header `{name}` is set by the generator"))
            .help("remove it"));
    }
    Ok(())
}

/// Whether a request of this method says how long its body is even when there is none.
pub(crate) fn has_length(method: &str, empty: bool) -> bool {
    !empty || ["POST", "PUT", "PATCH"].contains(&method)
}

/// A token of RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    let of_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(of_token)
}
