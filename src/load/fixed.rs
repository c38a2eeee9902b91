//! A request that is given as it is: checked once, then sent byte for byte.

use super::head::{check_header, check_method, check_path, has_length};
use super::plan::Fixed;
use super::template::Template;
use crate::error::Result;
use crate::load::rejected::InvalidRequest;

/// The request line, `Host`, the given headers, a `Content-Length` where there is a body, and the body. `close` asks for
/// the connection's end after the answer.
pub(crate) fn fixed_bytes(fixed: &Fixed, close: bool) -> Result<Vec<u8>> {
    check_method(&fixed.method).map_err(InvalidRequest::into_error)?;
    check_path(&Template::of_bytes(fixed.path.as_bytes()), &fixed.path)
        .map_err(InvalidRequest::into_error)?;
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", fixed.method, fixed.path, fixed.host);
    for (name, value) in &fixed.headers {
        check_header(name, &Template::of_bytes(value.as_bytes()))
            .map_err(InvalidRequest::into_error)?;
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if close {
        head.push_str("connection: close\r\n");
    }
    if has_length(&fixed.method, fixed.body.is_empty()) {
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
            let fixed = Fixed {
                name: "x".into(),
                method: method.into(),
                path: path.into(),
                host: "localhost".into(),
                headers: vec![(header.0.into(), header.1.into())],
                body: b"hi".to_vec(),
                expect_status: crate::load::plan::Statuses::default(),
            };
            fixed_bytes(&fixed, false)
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
