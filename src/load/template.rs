//! Text with seeded fields: `{"id":"{uuid}","user":{int:1..1000000}}`. Read once, written for every request.

use std::fmt;
use std::sync::Arc;

use super::ids::PaymentKey;
use super::table::Table;
use crate::error::Error;
use crate::random::Stream;
use crate::record::carried;

/// Literals and fields of one text.
const PARTS_MAX: usize = 1_000;
/// The names of the fields, each with an example.
const FIELDS: [(&str, &str); 5] = [
    ("uuid", "{uuid}"),
    ("key", "{key}"),
    ("int", "{int:1..1000}"),
    ("pick", "{pick:a|b|c}"),
    ("env", "{env:TOKEN}"),
];

/// A text with fields.
///
/// | field | becomes |
/// |---|---|
/// | `{uuid}` | a random UUID (version 4), another one at each place |
/// | `{key}` | the request's own key, 20 characters such as `00012-001-000000002a`, the same at each place of a request |
/// | `{int:1..1000000}` | a whole number from the first to the second, both included |
/// | `{pick:EUR\|USD\|GBP}` | one of the words |
/// | `{users.id}` | the column `id` of the table `users`, all fields of one request from one row |
/// | `{env:TOKEN}` | the environment variable, the same in all requests; no output shows it |
/// | `{token}` | what an earlier step of the session, or the setup, has captured under this name |
///
/// A brace before a lower-case letter opens a field, any other brace stands for itself, so JSON needs no escapes; `{{`
/// stands for one brace. `${TOKEN}` and `{{token}}` are refused: other tools' variables, sent as they are, fail every
/// request. Fields are a pure function of (seed, round, k, place); `{uuid}` and `{key}`
/// also of the salt, so that no contender sees another's ids, and are of one length, so that all read as many bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Part {
    Literal(#[serde(with = "carried::bytes")] Vec<u8>),
    Uuid,
    Key,
    Int {
        low: u64,
        span: u64,
    },
    Pick(Vec<Vec<u8>>),
    Secret {
        name: String,
        value: Secret,
    },
    /// Of a table, by its place.
    Cell {
        #[serde(with = "carried::shared")]
        table: Arc<Table>,
        column: usize,
    },
    /// Captured by the setup, by its place.
    OfSetup(usize),
    /// Captured by an earlier step of the session.
    OfSession(usize),
}

/// What a text's fields may be beside those that have a meaning of their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'a> {
    pub tables: &'a [Arc<Table>],
    /// The names of what the setup captures, in order.
    pub setup: &'a [String],
    /// The names of what earlier steps of the session capture, in order.
    pub session: &'a [String],
}

/// A value of the environment, which nothing prints.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Secret(#[serde(with = "carried::bytes")] Vec<u8>);

/// A scenario's fingerprint is made of what this prints.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// What the fields of one request are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws<'a> {
    pub(crate) k: u64,
    /// Of (seed, round, k).
    pub(crate) shared: Stream,
    /// Of the salt as well.
    pub(crate) own: Stream,
    pub(crate) key: PaymentKey,
    /// What was captured.
    pub(crate) setup: &'a [Vec<u8>],
    pub(crate) session: &'a [Vec<u8>],
}

impl Template {
    /// Reads a text without fields of tables or answers.
    ///
    /// # Errors
    /// As [`Self::parse_with`].
    pub fn parse(text: &str) -> Result<Self, InvalidRequest> {
        Self::parse_with(text, Fields::default())
    }

    /// Reads a text.
    ///
    /// # Errors
    /// An unknown or unclosed field, one whose range or words are none, another tool's variable, or one that the
    /// environment lacks.
    pub fn parse_with(text: &str, fields: Fields<'_>) -> Result<Self, InvalidRequest> {
        let mut template = Self::default();
        let mut rest = text;
        let mut foreign = Ok(());
        while let Some(at) = rest.find('{') {
            template.literal(&rest[..at]);
            let after = &rest[at + 1..];
            match refuse_foreign(&rest[..at], after) {
                Err(wrong) if after.starts_with('{') => foreign = foreign.and(Err(wrong)),
                found => found?,
            }
            rest = if let Some(escaped) = after.strip_prefix('{') {
                template.literal("{");
                escaped
            } else if after.starts_with(|c: char| c.is_ascii_lowercase()) {
                let end = after.find('}').ok_or_else(|| {
                    InvalidRequest::new(format!("the field `{{{}` is not closed", shortened(after)))
                        .help("end it with `}`, or write `{{` for a brace that opens no field")
                })?;
                template.parts.push(field(&after[..end], fields)?);
                &after[end + 1..]
            } else {
                template.literal("{");
                after
            };
            if template.parts.len() > PARTS_MAX {
                return Err(InvalidRequest::new(format!(
                    "more than {PARTS_MAX} fields and texts between"
                )));
            }
        }
        template.literal(rest);
        // `{{a {{b}}` comes to `{a {b}}`; what `{{token}}` comes to has a brace too many.
        let [opened, closed] = [b'{', b'}'].map(|brace| template.count(brace));
        if opened == closed { Ok(template) } else { foreign.map(|()| template) }
    }

    /// How often a byte stands in the text itself.
    fn count(&self, byte: u8) -> usize {
        let of = |part: &Part| match part {
            Part::Literal(bytes) => bytes.iter().filter(|it| **it == byte).count(),
            _ => 0,
        };
        self.parts.iter().map(of).sum()
    }

    /// A text without fields, whatever braces it has.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut template = Self::default();
        template.push(bytes);
        template
    }

    /// Adds text at the end.
    pub(crate) fn literal(&mut self, text: &str) {
        self.push(text.as_bytes());
    }

    /// Adds another at the end, its values of the environment as text.
    pub(crate) fn append(&mut self, other: &Self) {
        for part in &other.parts {
            match part {
                Part::Literal(bytes) | Part::Secret { value: Secret(bytes), .. } => {
                    self.push(bytes)
                }
                field => self.parts.push(field.clone()),
            }
        }
    }

    /// The whole text, where it has no field.
    pub(crate) fn constant(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [] => Some(b""),
            [Part::Literal(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// Whether every byte that it can come to passes.
    pub(crate) fn all_bytes(&self, allowed: impl Fn(u8) -> bool) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Literal(bytes) | Part::Secret { value: Secret(bytes), .. } => {
                bytes.iter().all(|&byte| allowed(byte))
            }
            Part::Pick(words) => words.iter().flatten().all(|&byte| allowed(byte)),
            Part::Cell { table, column } => {
                table.cells(*column).flatten().all(|&byte| allowed(byte))
            }
            // What was captured is looked at when it is.
            Part::OfSetup(_) | Part::OfSession(_) => true,
            Part::Uuid | Part::Key | Part::Int { .. } => true,
        })
    }

    /// Whether it starts with `text` itself.
    pub(crate) fn starts_with(&self, text: &str) -> bool {
        match self.parts.first() {
            Some(Part::Literal(bytes) | Part::Secret { value: Secret(bytes), .. }) => {
                bytes.starts_with(text.as_bytes())
            }
            _ => false,
        }
    }

    /// Appends the text of one request. `place` counts the fields of the whole request and goes on from there.
    pub(crate) fn write(&self, draws: &Draws<'_>, place: &mut u64, bytes: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Literal(text) | Part::Secret { value: Secret(text), .. } => {
                    bytes.extend_from_slice(text);
                    continue;
                }
                Part::Cell { table, column } => {
                    bytes.extend_from_slice(table.cell(*column, draws.k, draws.shared));
                    continue;
                }
                Part::OfSetup(value) => {
                    bytes.extend_from_slice(&draws.setup[*value]);
                    continue;
                }
                Part::OfSession(value) => {
                    bytes.extend_from_slice(&draws.session[*value]);
                    continue;
                }
                Part::Uuid => push_uuid(bytes, draws.own.child(*place)),
                Part::Key => bytes.extend_from_slice(draws.key.as_str().as_bytes()),
                Part::Int { low, span } => {
                    push_integer(bytes, low + draws.shared.below(*place, *span));
                }
                Part::Pick(words) => {
                    let index = draws.shared.below(*place, words.len() as u64) as usize;
                    bytes.extend_from_slice(&words[index]);
                }
            }
            *place += 1;
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        match self.parts.last_mut() {
            _ if bytes.is_empty() => {}
            Some(Part::Literal(text)) => text.extend_from_slice(bytes),
            _ => self.parts.push(Part::Literal(bytes.into())),
        }
    }
}

fn field(text: &str, fields: Fields<'_>) -> Result<Part, InvalidRequest> {
    if let Some((table, column)) = text.split_once('.')
        && !text.contains(':')
    {
        return cell(table, column, fields.tables);
    }
    let of = |names: &[String]| names.iter().position(|name| name == text);
    if let Some(value) = of(fields.session) {
        return Ok(Part::OfSession(value));
    }
    if let Some(value) = of(fields.setup) {
        return Ok(Part::OfSetup(value));
    }
    let (name, argument) =
        text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
    match (name, argument) {
        ("uuid", None) => Ok(Part::Uuid),
        ("key", None) => Ok(Part::Key),
        ("int", Some(range)) => int(range).ok_or_else(|| {
            InvalidRequest::new(format!("`{range}` is not a range of whole numbers"))
                .help("write {int:LOW..HIGH}, both included, such as {int:1..1000000}")
        }),
        ("pick", Some(words)) if !words.is_empty() => {
            Ok(Part::Pick(words.split('|').map(|word| word.as_bytes().into()).collect()))
        }
        ("env", Some(name)) if is_variable(name) => {
            let value = variable(name)?;
            Ok(Part::Secret { name: name.into(), value: Secret(value.into_bytes()) })
        }
        _ => Err(unknown(name, text, fields)),
    }
}

fn cell(name: &str, column: &str, tables: &[Arc<Table>]) -> Result<Part, InvalidRequest> {
    let Some(table) = tables.iter().find(|table| table.name == name) else {
        let title = format!("there is no [data.{}]", shortened(name));
        return Err(InvalidRequest::new(title)
            .help("its fields are written as {users.id}, of [data.users]"));
    };
    let place = table.column(column).ok_or_else(|| {
        let columns = table.columns().join(", ");
        InvalidRequest::new(format!("`{name}` has no column `{}`", shortened(column)))
            .help(format!("it has {columns}"))
    })?;
    Ok(Part::Cell { table: table.clone(), column: place })
}

/// Refuses `${TOKEN}` and `{{token}}`. `before` ends where the brace stands, `after` begins behind it.
fn refuse_foreign(before: &str, after: &str) -> Result<(), InvalidRequest> {
    let (name, written) = if let Some(inner) = after.strip_prefix('{') {
        let Some((name, _)) = inner.split_once("}}") else { return Ok(()) };
        (name.trim(), format!("{{{{{}}}}}", shortened(name)))
    } else if before.ends_with('$') {
        let Some((inner, _)) = after.split_once('}') else { return Ok(()) };
        (inner.split(':').next().unwrap_or_default(), format!("${{{}}}", shortened(inner)))
    } else {
        return Ok(());
    };
    if !is_variable(name) {
        return Ok(());
    }
    let help =
        format!("{{env:{name}}} is the environment variable {name}; write `{{{{` for a brace");
    Err(InvalidRequest::new(format!("`{written}` is another tool's variable")).help(help))
}

fn is_variable(name: &str) -> bool {
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(of_name) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty()
}

/// An empty variable is one that is not set.
fn variable(name: &str) -> Result<String, InvalidRequest> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
        InvalidRequest::new(format!("the environment variable {name} is not set"))
            .help(format!("start bakeoff as {name}=.. bakeoff .., or export it; its value stays out of all outputs"))
    })
}

/// `text` with its `{env:NAME}` as the environment has them, for what has no other fields.
///
/// # Errors
/// A variable that is not set, and another tool's.
pub(crate) fn with_environment(text: &str) -> Result<String, InvalidRequest> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('{') {
        let after = &rest[at + 1..];
        refuse_foreign(&rest[..at], after)?;
        out.push_str(&rest[..at]);
        let field = after.split_once('}').and_then(|(field, rest)| {
            Some((field.strip_prefix("env:").filter(|name| is_variable(name))?, rest))
        });
        rest = match field {
            Some((name, rest)) => {
                out.push_str(&variable(name)?);
                rest
            }
            None => {
                out.push('{');
                after
            }
        };
    }
    out.push_str(rest);
    Ok(out)
}

fn int(range: &str) -> Option<Part> {
    let (low, high) = range.split_once("..")?;
    let (low, high) = (low.parse::<u64>().ok()?, high.parse::<u64>().ok()?);
    let span = high.checked_sub(low)?.checked_add(1)?;
    Some(Part::Int { low, span })
}

/// Whether `name` is that of a field with a meaning of its own.
pub(crate) fn is_field(name: &str) -> bool {
    FIELDS.iter().any(|(known, _)| *known == name)
}

fn unknown(name: &str, text: &str, fields: Fields<'_>) -> InvalidRequest {
    let known = FIELDS.iter().find(|(known, _)| *known == name);
    let wrong = InvalidRequest::new(format!("there is no field `{{{}}}`", shortened(text)));
    match known {
        Some((_, example)) => wrong.help(format!("write it as {example}")),
        None => {
            let mut captured = fields.session.iter().chain(fields.setup);
            if let Some(near) = captured.find(|known| strsim::osa_distance(known, name) <= 2) {
                return wrong.help(format!("did you mean {{{near}}}?"));
            }
            let near = FIELDS.iter().find(|(known, _)| strsim::osa_distance(known, name) <= 1);
            match near {
                Some((_, example)) => wrong.help(format!("did you mean {example}?")),
                None => wrong.help(
                    "there are {uuid}, {key}, {int:1..1000}, {pick:a|b|c} and {env:TOKEN}; write `{{` for a brace that opens no field",
                ),
            }
        }
    }
}

/// The first characters of what may be a whole document.
fn shortened(text: &str) -> String {
    text.chars().take_while(|c| !c.is_control()).take(24).collect()
}

/// 122 random bits in the form of RFC 9562, 5.4.
fn push_uuid(bytes: &mut Vec<u8>, draws: Stream) {
    let (high, low) = (draws.at(0), draws.at(1));
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    let digits = (u128::from(high) << 64) | u128::from(low);
    for place in 0..32 {
        if [8, 12, 16, 20].contains(&place) {
            bytes.push(b'-');
        }
        let digit = (digits >> (124 - 4 * place)) & 15;
        bytes.push(b"0123456789abcdef"[digit as usize]);
    }
}

/// Appends the decimal digits of `value`.
pub(crate) fn push_integer(bytes: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    bytes.extend_from_slice(&digits[at..]);
}

/// What cannot be sent, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRequest {
    pub what: String,
    pub help: Option<String>,
}

impl InvalidRequest {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: None }
    }

    /// The same with a sentence on what to write.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub(crate) fn into_error(self) -> Error {
        let error = Error::usage(self.what);
        match self.help {
            Some(help) => error.help(help),
            None => error,
        }
    }
}

/// Headers that frame the request.
const OWN: [&str; 4] = ["content-length", "transfer-encoding", "expect", "connection"];

/// A method: `GET`, `POST`, ..
pub fn check_method(method: &str) -> Result<(), InvalidRequest> {
    let upper = !method.bytes().any(|b| b.is_ascii_lowercase());
    if is_token(method) && upper {
        return Ok(());
    }
    Err(InvalidRequest::new(format!("`{}` is not an HTTP method", method.escape_debug()))
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
    Err(InvalidRequest::new(format!("`{}` is not a path", shown.escape_debug()))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, k: u64, salt: u32) -> String {
        let shared = Stream::of(42).child(k);
        let draws = Draws {
            setup: &[],
            session: &[],
            k,
            shared,
            own: shared.child(u64::from(salt)),
            key: PaymentKey::new(salt, 1, k),
        };
        let mut bytes = Vec::new();
        Template::parse(text).unwrap().write(&draws, &mut 0, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn braces_that_open_no_field_stand_for_themselves() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            (r#"{"a":{"b":[{}]}}"#, r#"{"a":{"b":[{}]}}"#),
            ("{{uuid}", "{uuid}"),
            ("{{{{", "{{"),
            ("{ int}", "{ int}"),
            ("{Int}{", "{Int}{"),
        ] {
            assert_eq!(written(text, 1, 1), expected);
        }
    }

    #[test]
    fn fields_are_what_they_say() {
        let text =
            r#"{"id":"{uuid}","other":"{uuid}","key":"{key}","n":{int:5..7},"c":"{pick:EUR|USD}"}"#;
        let (mut numbers, mut words) = ([0; 8], [0; 2]);
        for k in 0..3_000 {
            let value: serde_json::Value = serde_json::from_str(&written(text, k, 9)).unwrap();
            let uuid = value["id"].as_str().unwrap();
            assert_ne!(uuid, value["other"]);
            let groups: Vec<_> = uuid.split('-').map(str::len).collect();
            assert_eq!(groups, [8, 4, 4, 4, 12]);
            assert_eq!(&uuid[14..15], "4");
            assert!("89ab".contains(&uuid[19..20]), "{uuid}");
            assert_eq!(value["key"], PaymentKey::new(9, 1, k).as_str());
            numbers[value["n"].as_u64().unwrap() as usize] += 1;
            words[usize::from(value["c"] == "USD")] += 1;
        }
        assert!(numbers[5..].iter().all(|n| (850..1_150).contains(n)), "{numbers:?}");
        assert!(words.iter().all(|n| (1_350..1_650).contains(n)), "{words:?}");
    }

    #[test]
    fn the_salt_touches_ids_and_nothing_else() {
        let text = "{int:0..18446744073709551614} {pick:a|b|c|d|e|f|g|h} {uuid} {key}";
        let (a, b) = (written(text, 7, 1), written(text, 7, 2));
        let split = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (a, b) = (split(&a), split(&b));
        assert_eq!(a[..2], b[..2]);
        assert!(a[2] != b[2] && a[3] != b[3]);
        assert_eq!(a[2].len() + a[3].len(), b[2].len() + b[3].len());
        assert_eq!(written(text, 7, 1), a.join(" "), "the same each time");
        assert_ne!(written(text, 8, 1), a.join(" "));
    }

    #[test]
    fn a_variable_of_the_environment_is_sent_and_never_printed() {
        // PATH is the one variable that every test has.
        let path = std::env::var("PATH").unwrap();
        assert_eq!(written("a {env:PATH}{{x {env:PATH}", 1, 1), format!("a {path}{{x {path}"));
        let template = Template::parse("Bearer {env:PATH}").unwrap();
        assert_eq!(format!("{template:?}").matches(&path).count(), 0);
        let wrong = Template::parse("{env:BAKEOFF_NOT_SET}").unwrap_err();
        assert!(wrong.what.contains("BAKEOFF_NOT_SET is not set"), "{wrong:?}");
        assert_eq!(
            with_environment("{env:PATH}:{\"a\":{}}").unwrap(),
            format!("{path}:{{\"a\":{{}}}}")
        );
        assert!(with_environment("{env:BAKEOFF_NOT_SET}").is_err());
    }

    #[test]
    fn variables_of_other_tools_name_ours() {
        for text in ["Bearer ${TOKEN}", "${TOKEN:-x}", "{{TOKEN}}", "{ \"a\": \"{{ TOKEN }}\" }"] {
            for wrong in [Template::parse(text).unwrap_err(), with_environment(text).unwrap_err()] {
                assert!(wrong.help.unwrap().starts_with("{env:TOKEN} is"), "{text}");
            }
        }
        // An escaped brace is one, and so are two of them.
        for (text, sent) in
            [("{{{{id}}", "{{id}}"), ("${{TOKEN}", "${TOKEN}"), ("{{a {{b}}", "{a {b}}")]
        {
            assert_eq!(written(text, 1, 1), sent);
        }
    }

    #[test]
    fn what_is_no_field_is_said_with_what_to_write() {
        for (text, what, help) in [
            ("{uid}", "{uid}", "{uuid}"),
            ("{int}", "{int}", "{int:1..1000}"),
            ("{int:5}", "`5`", "LOW..HIGH"),
            ("{int:7..5}", "`7..5`", "both included"),
            ("{int:-1..5}", "`-1..5`", "whole"),
            ("{int:0..18446744073709551615}", "range", "whole"),
            ("{pick:}", "{pick:}", "{pick:a|b|c}"),
            ("{uuid:4}", "{uuid:4}", "{uuid}"),
            ("{user(id:1)}", "{user(id:1)}", "`{{`"),
            ("{query", "not closed", "`}`"),
        ] {
            let wrong = Template::parse(text).unwrap_err();
            let whole = format!("{} {}", wrong.what, wrong.help.unwrap());
            assert!(whole.contains(what) && whole.contains(help), "{text}: {whole}");
        }
    }
}
