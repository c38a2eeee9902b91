//! What the body of a right answer must have.

use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;

use crate::record::carried;

/// `json:/ok=true`: the value at a JSON pointer (RFC 6901). `contains:text`: these bytes somewhere. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BodyCheck(#[serde(with = "carried::shared")] Arc<Rule>);

#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Rule {
    Json { pointer: String, value: Value },
    Contains(Vec<u8>),
}

/// So much of a body is looked at.
pub(crate) const CHECKED_BYTES_MAX: usize = 1 << 20;

impl BodyCheck {
    pub(super) fn holds(&self, body: &[u8]) -> bool {
        match &*self.0 {
            Rule::Json { pointer, value } => serde_json::from_slice::<Value>(body)
                .is_ok_and(|body| body.pointer(pointer) == Some(value)),
            Rule::Contains(text) => memchr::memmem::find(body, text).is_some(),
        }
    }
}

impl FromStr for BodyCheck {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no check of a body; write \"json:/ok=true\" or \"contains:some text\""
            )
        };
        let (kind, rule) = text.split_once(':').ok_or_else(wrong)?;
        let rule = match kind {
            "json" => {
                let (pointer, value) = rule.split_once('=').ok_or_else(wrong)?;
                if !pointer.is_empty() && !pointer.starts_with('/') {
                    return Err(format!(
                        "`{pointer}` is no JSON pointer; it begins with a slash, as /ok or /user/id"
                    ));
                }
                // A word without quotes is a string.
                let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
                Rule::Json { pointer: pointer.into(), value }
            }
            "contains" if !rule.is_empty() => Rule::Contains(rule.into()),
            _ => return Err(wrong()),
        };
        Ok(Self(Arc::new(rule)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_checked() {
        let holds =
            |check: &str, body: &str| check.parse::<BodyCheck>().unwrap().holds(body.as_bytes());
        let body = r#"{"ok":true,"user":{"name":"Ann","ids":[7,8]},"a/b":null}"#;
        for check in [
            "json:/ok=true",
            "json:/user/name=Ann",
            "json:/user/name=\"Ann\"",
            "json:/user/ids/1=8",
            "json:/a~1b=null",
            "contains:\"name\":\"Ann\"",
        ] {
            assert!(holds(check, body), "{check}");
        }
        for check in [
            "json:/ok=false",
            "json:/ko=true",
            "json:/user/ids/2=8",
            "json:/ok=\"true\"",
            "contains:ann",
        ] {
            assert!(!holds(check, body), "{check}");
        }
        assert!(!holds("json:/ok=true", "{\"ok\":true") && holds("json:=7", " 7 "));
        for bad in ["", "ok", "json:ok=true", "json:/ok", "contains:", "regex:x"] {
            assert!(bad.parse::<BodyCheck>().is_err(), "{bad}");
        }
    }
}
