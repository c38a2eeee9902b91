//! The values that a step of a session takes from its answer, for the steps after it.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::answer::Answer;

/// A captured value has at most so many bytes.
const VALUE_BYTES_MAX: usize = 8 << 10;

/// A value of an answer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Extract {
    /// As templates call it: `{name}`.
    pub name: String,
    pub from: Origin,
}

/// Where in an answer a value stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Origin {
    /// At a JSON pointer (RFC 6901) of the body: a string, a number or a truth value.
    Json(String),
    /// In a header.
    Header(String),
    /// In a `set-cookie` header, under this name.
    Cookie(String),
}

/// Adds the values of `answer` to `values`.
///
/// # Errors
/// In words, the first that is not there or cannot be sent again.
pub(crate) fn capture(
    extracts: &[Extract],
    answer: &Answer<'_>,
    values: &mut Vec<Vec<u8>>,
) -> Result<(), String> {
    for Extract { name, from } in extracts {
        let value = from.find(answer).ok_or_else(|| format!("no `{name}` at {from}"))?;
        if value.is_empty() || value.len() > VALUE_BYTES_MAX {
            return Err(format!("`{name}` at {from} is empty or longer than 8 KiB"));
        }
        // It may come to stand in a path or a header.
        if !value.iter().all(u8::is_ascii_graphic) {
            return Err(format!("`{name}` at {from} has other than visible ASCII characters"));
        }
        values.push(value);
    }
    Ok(())
}

impl Origin {
    fn find(&self, answer: &Answer<'_>) -> Option<Vec<u8>> {
        match self {
            Self::Json(pointer) => {
                let body: Value = serde_json::from_slice(answer.body).ok()?;
                match body.pointer(pointer)? {
                    Value::String(text) => Some(text.clone().into_bytes()),
                    value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string().into()),
                    _ => None,
                }
            }
            Self::Header(name) => headers(answer.head, name).next().map(<[u8]>::to_vec),
            Self::Cookie(name) => headers(answer.head, "set-cookie").find_map(|cookie| {
                let value = cookie.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
                Some(value.split(|&byte| byte == b';').next()?.trim_ascii().to_vec())
            }),
        }
    }
}

/// The values of all headers of this name.
fn headers<'a>(head: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    head.split(|&byte| byte == b'\n').skip(1).filter_map(move |line| {
        let (key, value) = line.split_at(memchr::memchr(b':', line)?);
        key.eq_ignore_ascii_case(name.as_bytes()).then(|| value[1..].trim_ascii())
    })
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(at) => write!(f, "json:{at}"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

impl FromStr for Origin {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("json", pointer)) if pointer.is_empty() || pointer.starts_with('/') => {
                Ok(Self::Json(pointer.into()))
            }
            Some(("json", pointer)) => Err(format!(
                "`{pointer}` is not a JSON pointer; it begins with a slash, as /token or /user/id"
            )),
            Some(("header", name)) if !name.is_empty() => Ok(Self::Header(name.into())),
            Some(("cookie", name)) if !name.is_empty() => Ok(Self::Cookie(name.into())),
            _ => Err(format!(
                "`{text}` is not a part of an answer; write \"json:/token\", \"header:x-token\" or \"cookie:sid\""
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_from_body_headers_and_cookies() {
        let head = b"HTTP/1.1 200 OK\r\nX-Token: abc \r\nset-cookie: sidecar=no\r\nSet-Cookie: sid=7; Path=/\r\n\r\n";
        let body = br#"{"token":"t-1","user":{"ids":[7,8],"ok":true},"text":"a b","none":null}"#;
        let answer = Answer { status: 200, head, body, reusable: true };
        let find = |text: &str| {
            let from = text.parse().unwrap();
            let mut values = Vec::new();
            let extract = Extract { name: "v".into(), from };
            let found = capture(&[extract], &answer, &mut values);
            found.map(|()| String::from_utf8(values.remove(0)).unwrap())
        };
        for (from, value) in [
            ("json:/token", "t-1"),
            ("json:/user/ids/1", "8"),
            ("json:/user/ok", "true"),
            ("header:x-token", "abc"),
            ("cookie:sid", "7"),
        ] {
            assert_eq!(find(from).as_deref(), Ok(value), "{from}");
        }
        for (from, told) in [
            ("json:/tokens", "no `v` at json:/tokens"),
            ("json:/none", "no `v`"),
            ("json:/user", "no `v`"),
            ("json:/text", "visible ASCII"),
            ("header:x", "no `v`"),
            ("cookie:side", "no `v`"),
        ] {
            assert!(find(from).unwrap_err().contains(told), "{from}");
        }
        for bad in ["token", "json:token", "header:", "cookie", "body:x", ""] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
