//! Whether an answer is the right one: checked while measuring, by one pass over its bytes and no parser.

use super::ids::PaymentKey;
use crate::domain::dataset::Tier;
use crate::domain::payment::Decline;
use crate::record::carried;
use crate::record::outcome::RequestError;
use serde_json::Value;
use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::sync::Arc;

/// What the answer to a request must be. The rules are the domain's, so a server cannot be wrong in their favour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// One of these statuses, whatever the body.
    Status(Statuses),
    /// One of these, and such a body.
    Body(Statuses, BodyCheck),
    /// 201 with these figures, or 402 with the reason: the one that the rules give, or that the balance gives. Where it
    /// may be sent a second time, 200 with the same figures too, whichever comes first.
    Payment {
        key: PaymentKey,
        amount_minor: u64,
        fee_minor: u64,
        decision: Result<(), Decline>,
        repeated: bool,
    },
    /// 200 with all accounts credited and points within these bounds.
    Distribution { accounts: u32, points_min: u64, points_max: u64 },
    /// 200 with the account's tier.
    Account { id: u32, tier: Tier },
    /// 202 with the event's name.
    Webhook { event: PaymentKey },
    /// 200 with what the upstream says of the id and of the next one.
    Gateway { id: u32, values: [u32; 2] },
}

impl Default for Expect {
    fn default() -> Self {
        Self::Status(Statuses::default())
    }
}

/// The statuses of a right answer, 1 to 8 of them; 2 to 5 stand for the whole class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statuses([u16; Self::MAX]);

/// As scenarios write them.
impl serde::Serialize for Statuses {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let word = |status: &u16| match status {
            2..=5 => format!("{status}xx"),
            status => status.to_string(),
        };
        to.collect_seq(self.0.iter().filter(|status| **status > 0).map(word))
    }
}

/// 200 alone.
impl Default for Statuses {
    fn default() -> Self {
        Self([200, 0, 0, 0, 0, 0, 0, 0])
    }
}

impl Statuses {
    /// More would be no check.
    pub const MAX: usize = 8;

    /// These; nothing for none, too many, or one that no answer has.
    fn of(statuses: &[u16]) -> Option<Self> {
        let sound = statuses.iter().all(|status| matches!(status, 2..=5 | 200..600));
        let mut all = [0; Self::MAX];
        if !sound || statuses.is_empty() || statuses.len() > Self::MAX {
            return None;
        }
        all[..statuses.len()].copy_from_slice(statuses);
        Some(Self(all))
    }

    /// The words of a list, each a status or a class: `200`, `2xx`.
    ///
    /// # Errors
    /// What is neither, and too few or too many of them.
    pub fn of_words<'a>(
        words: impl IntoIterator<Item = &'a str>,
    ) -> std::result::Result<Self, String> {
        let number = |word: &str| {
            let word = word.trim();
            let class = word.strip_suffix("xx").or(word.strip_suffix("XX"));
            let found = class.unwrap_or(word).parse::<u16>().ok();
            let found = found.filter(|n| (*n < 10) == class.is_some() && Self::of(&[*n]).is_some());
            found.ok_or_else(|| format!("`{}` is not a status of an answer", word.escape_debug()))
        };
        let all: Vec<u16> = words.into_iter().map(number).collect::<std::result::Result<_, _>>()?;
        Self::of(&all).ok_or_else(|| format!("there must be 1 to {} statuses", Self::MAX))
    }

    fn has(self, status: u16) -> bool {
        self.0.contains(&status) || self.0.contains(&(status / 100))
    }
}

/// `200,201,3xx`
impl FromStr for Statuses {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Self::of_words(text.split(','))
            .map_err(|why| format!("{why}; write 200, 2xx or 200,201,3xx"))
    }
}

/// What a right answer acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    /// Nothing that the audit counts.
    Nothing,
    Payment {
        amount_minor: u64,
        fee_minor: u64,
    },
    Distribution {
        accounts: u32,
        points: u64,
    },
    Webhook,
}

impl Expect {
    pub(crate) fn of(statuses: Statuses, body: Option<BodyCheck>) -> Self {
        body.map_or(Self::Status(statuses), |body| Self::Body(statuses, body))
    }

    /// Judges a whole answer.
    ///
    /// # Errors
    /// `bad_status` or `wrong_answer`.
    pub(crate) fn check(&self, status: u16, body: &[u8]) -> Result<Acknowledged, RequestError> {
        match *self {
            Self::Status(right) if right.has(status) => Ok(Acknowledged::Nothing),
            Self::Body(right, ref body_check) if right.has(status) => {
                self::right(body_check.holds(body))?;
                Ok(Acknowledged::Nothing)
            }
            Self::Status(_) | Self::Body(..) => Err(RequestError::BadStatus),
            Self::Payment { key, amount_minor, fee_minor, decision, repeated } => {
                let again = repeated && status == 200;
                let first = if again { 201 } else { status };
                let key = key.as_str();
                let done = payment(first, body, key, amount_minor, fee_minor, decision)?;
                Ok(if again { Acknowledged::Nothing } else { done })
            }
            Self::Distribution { accounts, points_min, points_max } => {
                let [credited, points] = fields(status, 200, body, ["credited", "points"])?;
                let points = integer(points)?;
                let plausible = (points_min..=points_max).contains(&points);
                right(integer(credited)? == u64::from(accounts) && plausible)?;
                Ok(Acknowledged::Distribution { accounts, points })
            }
            Self::Account { id, tier } => {
                let [account, name, points] =
                    fields(status, 200, body, ["account_id", "tier", "points"])?;
                integer(points)?;
                right(integer(account)? == u64::from(id) && text(name)? == tier.name().as_bytes())?;
                Ok(Acknowledged::Nothing)
            }
            Self::Webhook { event } => {
                let [id, state] = fields(status, 202, body, ["event_id", "status"])?;
                right(text(id)? == event.as_str().as_bytes() && text(state)? == b"received")?;
                Ok(Acknowledged::Webhook)
            }
            Self::Gateway { id, values } => gateway(status, body, id, values),
        }
    }
}

/// The one answer of the contract with a list in it: compared as it is written, but for spaces and the order of its two
/// members.
fn gateway(
    status: u16,
    body: &[u8],
    id: u32,
    [a, b]: [u32; 2],
) -> Result<Acknowledged, RequestError> {
    if status != 200 {
        return Err(RequestError::BadStatus);
    }
    let same = |text: fmt::Arguments<'_>| {
        let mut buffer = [0; GATEWAY_BYTES_MAX];
        let mut rest = &mut buffer[..];
        // Three numbers of 32 bits: the buffer holds them.
        let written = write!(rest, "{text}").map(|()| rest.len()).unwrap_or(GATEWAY_BYTES_MAX);
        let text = &buffer[..GATEWAY_BYTES_MAX - written];
        body.iter().filter(|byte| !byte.is_ascii_whitespace()).eq(text)
    };
    right(
        same(format_args!(r#"{{"id":{id},"values":[{a},{b}]}}"#))
            || same(format_args!(r#"{{"values":[{a},{b}],"id":{id}}}"#)),
    )?;
    Ok(Acknowledged::Nothing)
}

/// What a gateway answers is at most half as long.
const GATEWAY_BYTES_MAX: usize = 128;

fn payment(
    status: u16,
    body: &[u8],
    key: &str,
    amount_minor: u64,
    fee_minor: u64,
    decision: Result<(), Decline>,
) -> Result<Acknowledged, RequestError> {
    if status == 402 {
        let [state, reason] = fields(status, 402, body, ["status", "reason"])?;
        let expected = decision.err().unwrap_or(Decline::InsufficientFunds).reason();
        right(text(state)? == b"declined" && text(reason)? == expected.as_bytes())?;
        return Ok(Acknowledged::Nothing);
    }
    let names = ["payment_id", "status", "amount_minor", "fee_minor"];
    let [id, state, amount, fee] = fields(status, 201, body, names)?;
    right(decision.is_ok())?;
    right(text(id)?.strip_prefix(b"pay-") == Some(key.as_bytes()))?;
    right(text(state)? == b"captured")?;
    right(integer(amount)? == amount_minor && integer(fee)? == fee_minor)?;
    Ok(Acknowledged::Payment { amount_minor, fee_minor })
}

fn right(it_is: bool) -> Result<(), RequestError> {
    if it_is { Ok(()) } else { Err(RequestError::WrongAnswer) }
}

/// The values of `names` in a flat JSON object, as they are written, in whatever order and spacing they come.
///
/// Keys are compared as they are spelt (the contract's have no escapes); values may be strings without escapes and
/// numbers, which is all that the contract has.
fn fields<'a, const N: usize>(
    status: u16,
    expected: u16,
    body: &'a [u8],
    names: [&str; N],
) -> Result<[&'a [u8]; N], RequestError> {
    if status != expected {
        return Err(RequestError::BadStatus);
    }
    let mut values = [None; N];
    scan(body, |key, value| {
        if let Some(place) = names.iter().position(|name| name.as_bytes() == key) {
            values[place] = Some(value);
        }
    })
    .ok_or(RequestError::WrongAnswer)?;
    let mut all = [&body[..0]; N];
    for (slot, value) in all.iter_mut().zip(values) {
        *slot = value.ok_or(RequestError::WrongAnswer)?;
    }
    Ok(all)
}

/// Calls `found` with each key and value of a flat object; nothing when it is not one.
fn scan<'a>(body: &'a [u8], mut found: impl FnMut(&'a [u8], &'a [u8])) -> Option<()> {
    let mut rest = body.trim_ascii().strip_prefix(b"{")?.strip_suffix(b"}")?.trim_ascii();
    while !rest.is_empty() {
        let key = rest.strip_prefix(b"\"")?;
        let (key, after) = key.split_at(memchr::memchr(b'"', key)?);
        let value = after[1..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let end = match value.strip_prefix(b"\"") {
            Some(string) => memchr::memchr(b'"', string)? + 2,
            None => memchr::memchr(b',', value).unwrap_or(value.len()),
        };
        found(key, value[..end].trim_ascii_end());
        rest = value[end..].trim_ascii_start();
        if !rest.is_empty() {
            // A comma and another field: a trailing comma is no JSON.
            rest = rest.strip_prefix(b",")?.trim_ascii_start();
            rest.first()?;
        }
    }
    Some(())
}

fn text(value: &[u8]) -> Result<&[u8], RequestError> {
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    inner.ok_or(RequestError::WrongAnswer)
}

/// At most 15 digits: more than any figure of the contract, and no overflow.
fn integer(value: &[u8]) -> Result<u64, RequestError> {
    right((1..=15).contains(&value.len()) && value.iter().all(u8::is_ascii_digit))?;
    Ok(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

// What the body of a right answer must have.

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
                "`{text}` is not a check of a body; write \"json:/ok=true\" or \"contains:some text\""
            )
        };
        let (kind, rule) = text.split_once(':').ok_or_else(wrong)?;
        let rule = match kind {
            "json" => {
                let (pointer, value) = rule.split_once('=').ok_or_else(wrong)?;
                if !pointer.is_empty() && !pointer.starts_with('/') {
                    return Err(format!(
                        "`{pointer}` is not a JSON pointer; it begins with a slash, as /ok or /user/id"
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
    use RequestError::{BadStatus, WrongAnswer};

    #[test]
    fn statuses_are_lists_and_classes() {
        let right = |text: &str, status| text.parse::<super::Statuses>().unwrap().has(status);
        assert!(right("2xx", 204) && !right("2xx", 304) && right("200, 3XX", 304));
        assert!(right("404", 404) && !right("404", 400));
        for bad in ["", "2", "20xx", "1xx", "6xx", "99", "600", "200,", "x", "201xx"] {
            assert!(bad.parse::<super::Statuses>().is_err(), "{bad}");
        }
        let nine = ["200"; 9].join(",");
        assert!(nine.parse::<super::Statuses>().is_err());
    }

    const DISTRIBUTION: Expect =
        Expect::Distribution { accounts: 1_000, points_min: 10, points_max: 20 };
    const ACCOUNT: Expect = Expect::Account { id: 7, tier: Tier::Gold };

    fn payment_expecting(decision: Result<(), Decline>) -> Expect {
        let key = PaymentKey::new(1, 1, 42);
        Expect::Payment { key, amount_minor: 500, fee_minor: 5, decision, repeated: false }
    }

    #[test]
    fn a_captured_payment_needs_every_figure() {
        let expect = payment_expecting(Ok(()));
        let good = r#"{"payment_id":"pay-00001-001-000000002a","status":"captured","amount_minor":500,"fee_minor":5}"#;
        let captured = Acknowledged::Payment { amount_minor: 500, fee_minor: 5 };
        assert_eq!(expect.check(201, good.as_bytes()), Ok(captured));
        let spaced = good.replace(':', " : ").replace(',', " ,\n ").replace('{', " { ");
        assert_eq!(expect.check(201, spaced.as_bytes()), Ok(captured), "{spaced}");
        for (from, to) in [
            ("2a", "2b"),
            ("captured", "pending"),
            ("500", "501"),
            (":5}", ":6}"),
            ("\"fee_minor\":5", "\"fee\":5"),
            ("500", "\"500\""),
            ("500", "500.0"),
            ("}", ""),
            (":5}", ":5,}"),
        ] {
            let bad = good.replace(from, to);
            assert_eq!(expect.check(201, bad.as_bytes()), Err(WrongAnswer), "{bad}");
        }
        assert_eq!(
            expect.check(200, good.as_bytes()),
            Err(BadStatus),
            "a replay, but the key is new"
        );
        assert_eq!(expect.check(500, b""), Err(BadStatus));
        let blocked = payment_expecting(Err(Decline::UserBlocked));
        assert_eq!(blocked.check(201, good.as_bytes()), Err(WrongAnswer), "must be declined");
    }

    #[test]
    fn a_decline_needs_the_reason_that_the_rules_give() {
        let body = |reason: &str| format!(r#"{{"status":"declined","reason":"{reason}"}}"#);
        let check =
            |decision, reason| payment_expecting(decision).check(402, body(reason).as_bytes());
        let nothing = Ok(Acknowledged::Nothing);
        assert_eq!(check(Err(Decline::UserBlocked), "user_blocked"), nothing);
        assert_eq!(check(Ok(()), "insufficient_funds"), nothing);
        assert_eq!(check(Ok(()), "user_blocked"), Err(WrongAnswer));
        assert_eq!(check(Err(Decline::UserBlocked), "insufficient_funds"), Err(WrongAnswer));
    }

    #[test]
    fn a_payment_that_is_sent_twice_is_captured_once() {
        let Expect::Payment { key, amount_minor, fee_minor, decision, .. } =
            payment_expecting(Ok(()))
        else {
            panic!()
        };
        let expect = Expect::Payment { key, amount_minor, fee_minor, decision, repeated: true };
        let body = br#"{"payment_id":"pay-00001-001-000000002a","status":"captured","amount_minor":500,"fee_minor":5}"#;
        let captured = Acknowledged::Payment { amount_minor: 500, fee_minor: 5 };
        assert_eq!(expect.check(201, body), Ok(captured));
        assert_eq!(expect.check(200, body), Ok(Acknowledged::Nothing));
        assert_eq!(expect.check(409, body), Err(BadStatus));
        assert_eq!(expect.check(200, b"{}"), Err(WrongAnswer), "a replay has its answer too");
        let declined = br#"{"status":"declined","reason":"insufficient_funds"}"#;
        assert_eq!(expect.check(402, declined), Ok(Acknowledged::Nothing));
    }

    #[test]
    fn events_and_gateways() {
        let event = Expect::Webhook { event: PaymentKey::new(1, 1, 42) };
        let kept = br#"{"event_id":"00001-001-000000002a","status":"received"}"#;
        assert_eq!(event.check(202, kept), Ok(Acknowledged::Webhook));
        assert_eq!(event.check(200, kept), Err(BadStatus), "the id is new");
        let other = br#"{"event_id":"00001-001-000000002b","status":"received"}"#;
        assert_eq!(event.check(202, other), Err(WrongAnswer));

        let gateway = Expect::Gateway { id: u32::MAX, values: [u32::MAX, 7] };
        for good in [
            r#"{"id":4294967295,"values":[4294967295,7]}"#,
            r#"{ "values" : [4294967295, 7], "id" : 4294967295 }"#,
        ] {
            assert_eq!(gateway.check(200, good.as_bytes()), Ok(Acknowledged::Nothing));
        }
        for bad in [
            r#"{"id":4294967295,"values":[7,4294967295]}"#,
            r#"{"id":4294967295,"values":[4294967295]}"#,
            r#"{"id":1,"values":[4294967295,7]}"#,
            "",
        ] {
            assert_eq!(gateway.check(200, bad.as_bytes()), Err(WrongAnswer), "{bad}");
        }
        assert_eq!(gateway.check(502, b"{}"), Err(BadStatus));
    }

    #[test]
    fn distributions_and_accounts() {
        let credited = Acknowledged::Distribution { accounts: 1_000, points: 15 };
        assert_eq!(DISTRIBUTION.check(200, br#"{"credited":1000,"points":15}"#), Ok(credited));
        assert_eq!(DISTRIBUTION.check(200, br#"{"points":15,"credited":1000}"#), Ok(credited));
        for bad in [r#"{"credited":999,"points":15}"#, r#"{"credited":1000,"points":21}"#] {
            assert_eq!(DISTRIBUTION.check(200, bad.as_bytes()), Err(WrongAnswer));
        }
        let good = br#"{"account_id":7,"tier":"gold","points":0}"#;
        assert_eq!(ACCOUNT.check(200, good), Ok(Acknowledged::Nothing));
        for bad in [
            &br#"{"account_id":8,"tier":"gold","points":0}"#[..],
            br#"{"account_id":7,"tier":"silver","points":0}"#,
            br#"{"account_id":7,"tier":"gold"}"#,
        ] {
            assert_eq!(ACCOUNT.check(200, bad), Err(WrongAnswer));
        }
    }

    #[test]
    fn garbage_is_wrong_and_never_a_panic() {
        let pieces: [&[u8]; 9] =
            [b"{", b"}", b"\"", b":", b",", b" ", b"credited", b"1000", b"\xff"];
        for n in 0..9_usize.pow(5) {
            let mut body = b"{".to_vec();
            let mut n = n;
            for _ in 0..5 {
                body.extend_from_slice(pieces[n % 9]);
                n /= 9;
            }
            body.push(b'}');
            assert_eq!(DISTRIBUTION.check(200, &body), Err(WrongAnswer));
        }
        for body in ["", "{}", "[]", "null", r#"{"credited":99999999999999999999,"points":15}"#] {
            assert_eq!(DISTRIBUTION.check(200, body.as_bytes()), Err(WrongAnswer), "{body}");
        }
    }

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
