//! A request that is given as it is: checked once, then sent byte for byte.

use super::plan::Fixed;
use crate::error::{Error, Result};

/// The request line, `Host`, the given headers, a `Content-Length` where there is a body, and the body.
pub(crate) fn fixed_bytes(fixed: &Fixed) -> Result<Vec<u8>> {
    let token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let printable = |text: &str| text.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b));
    if !token(&fixed.method) {
        return Err(Error::usage(format!("`{}` is no HTTP method", fixed.method)));
    }
    if !fixed.path.starts_with('/') || !fixed.path.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::usage(format!("`{}` is no path", fixed.path))
            .help("a path starts with / and spaces in it are written %20"));
    }
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", fixed.method, fixed.path, fixed.host);
    for (name, value) in &fixed.headers {
        if !token(name) || !printable(value) {
            return Err(Error::usage(format!("`{name}: {value}` is no header"))
                .help("write it as 'name: value' in visible ASCII"));
        }
        let framing = ["content-length", "transfer-encoding", "host", "expect"];
        if framing.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return Err(Error::usage(format!("the header `{name}` is set by the generator")));
        }
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !fixed.body.is_empty() || ["POST", "PUT", "PATCH"].contains(&fixed.method.as_str()) {
        head.push_str(&format!("content-length: {}\r\n", fixed.body.len()));
    }
    head.push_str("\r\n");
    Ok([head.as_bytes(), &fixed.body].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_request_is_checked_before_it_is_sent() {
        let fixed = |method: &str, path: &str, header: (&str, &str)| {
            fixed_bytes(&Fixed {
                name: "x".into(),
                method: method.into(),
                path: path.into(),
                host: "localhost".into(),
                headers: vec![(header.0.into(), header.1.into())],
                body: b"hi".to_vec(),
                expect_status: 200,
            })
        };
        let text = String::from_utf8(fixed("POST", "/a?b=1", ("x-y", "z")).unwrap()).unwrap();
        assert_eq!(
            text,
            "POST /a?b=1 HTTP/1.1\r\nhost: localhost\r\nx-y: z\r\ncontent-length: 2\r\n\r\nhi"
        );
        for (method, path, header) in [
            ("G T", "/", ("a", "b")),
            ("GET", "a", ("a", "b")),
            ("GET", "/a b", ("a", "b")),
            ("GET", "/", ("a", "b\r\nc: d")),
            ("GET", "/", ("a b", "c")),
            ("GET", "/", ("Content-Length", "9")),
        ] {
            assert!(fixed(method, path, header).is_err(), "{method} {path} {header:?}");
        }
    }
}
