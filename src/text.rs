//! Text for people: made safe for a terminal, shortened, counted, listed.

use crate::units::{self, grouped};

/// Text from a file, made safe for a terminal and for XML: no control or direction characters, one line, at most
/// 200 characters.
pub(crate) fn clean(text: &str) -> String {
    truncated(&one_line(text), MAX_TEXT)
}

/// The same without an end, for sentences of our own that have such text in them: a verdict that is cut off
/// hides its limits.
pub(crate) fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let line: String = line.chars().filter(|c| is_shown(*c)).collect();
    line.trim().to_owned()
}

/// Whether a text is made of what names of scenarios, contenders and requests are made of.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let starts = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    starts && text.chars().all(allowed)
}

/// Whether a terminal shows a character, instead of obeying it.
pub(crate) fn is_shown(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
}

/// A whole output, made safe for a terminal and for the log of a CI job whatever is in it: no control character but the
/// ends of lines, tabs and our own colours, and nothing that a runner would obey (`::error::` at the start of a line,
/// `##[error]` anywhere; it skips blanks, and colours are taken out before it reads).
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut at_start) = (text, true);
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '\n' => {
                out.push(c);
                at_start = true;
            }
            '\x1b' => {
                if let Some(colour) = colour(rest) {
                    out.push_str(colour);
                    taken = colour.len();
                }
            }
            _ if c == '\t' || c.is_whitespace() && is_shown(c) => out.push(c),
            _ if !is_shown(c) => {}
            ':' if at_start && rest.starts_with("::") => {
                out.push_str(": :");
                (taken, at_start) = (2, false);
            }
            '#' if rest.starts_with("##[") => {
                out.push_str("## [");
                (taken, at_start) = (3, false);
            }
            _ => {
                out.push(c);
                at_start = false;
            }
        }
        rest = &rest[taken..];
    }
    out
}

/// The colour that `text` begins with, `ESC [ 1 ; 31 m`.
fn colour(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("\x1b[")?;
    let end = inner.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    inner[end..].starts_with('m').then(|| &text[..2 + end + 1])
}

const MAX_TEXT: usize = 200;

/// `text`, or its start and an ellipsis where it has more than `max` characters.
pub(crate) fn truncated(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let start: String = text.chars().take(max - 3).collect();
    format!("{}...", start.trim_end())
}

/// `name`, or its start and its end around an ellipsis where it has more than `most` characters: names of one kind differ
/// at their ends.
pub(crate) fn shortened(name: &str, most: usize) -> String {
    let chars: Vec<char> = name.chars().collect();
    if chars.len() <= most {
        return name.to_owned();
    }
    let end = most.saturating_sub(1).div_ceil(2);
    let start: String = chars[..most.saturating_sub(1 + end)].iter().collect();
    let end: String = chars[chars.len() - end..].iter().collect();
    format!("{}\u{2026}{}", start.trim_end(), end.trim_start())
}

/// `1.38x`, `12.4x`, `240x`; `unbounded` where lost rounds leave no limit.
pub(crate) fn times(ratio: f64) -> String {
    match ratio {
        r if r.is_infinite() => "unbounded".into(),
        r if r < 9.995 => format!("{r:.2}x"),
        r if r < 99.95 => format!("{r:.1}x"),
        r => format!("{}x", grouped(r)),
    }
}

/// A share in percent with at most so many decimals: `24 %`, `2.5 %`.
pub(crate) fn percent(share: f64, decimals: usize) -> String {
    let text = units::decimals(100.0 * share, decimals);
    let text = match text.contains('.') && !text.contains('e') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text} %")
}

/// Text inside an element or an attribute of XML or HTML.
pub(crate) fn xml(text: &str) -> String {
    let text: String = text.chars().filter(|c| is_shown(*c)).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Printed for a figure that is withheld or unknown.
pub(crate) const WITHHELD: &str = "-";

/// `number` by `show`, or the mark of a missing figure.
pub(crate) fn or_withheld(number: Option<f64>, show: impl Fn(f64) -> String) -> String {
    number.map_or_else(|| WITHHELD.into(), show)
}

/// Each of `items` once, in the order in which they first come.
pub(crate) fn distinct<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [start @ .., last] => format!("{} and {last}", start.join(", ")),
    }
}

/// `1 round`, `6 rounds`.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// With a capital first letter.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A name as part of a file's name: `4,000/s` is `4000`, `50% own` is `50pct-own`.
pub(crate) fn slug(text: &str) -> String {
    let text = text.to_lowercase().replace("/s", "").replace(',', "").replace('%', "pct");
    let parts: Vec<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let slug: String = parts.join("-").chars().take(60).collect();
    if slug.is_empty() { "x".into() } else { slug }
}

/// `text` without its figures: reasons that differ in those alone are alike. A percentile's name is no figure.
pub(crate) fn alike(text: &str) -> String {
    let word = |word: &&str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let figure = bare.starts_with(|c: char| c.is_ascii_digit());
        !figure && !matches!(bare, "ns" | "us" | "ms" | "s" | "")
    };
    text.split_whitespace().filter(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_becomes_one_harmless_line() {
        assert_eq!(clean("a\x1b[31m\nb\0\u{202e}c\u{7}"), "a[31m bc");
        assert_eq!(clean(&"long ".repeat(100)).chars().count(), 200);
        assert_eq!(shortened("checkout-threads-16", 12), "check\u{2026}ads-16");
        assert_eq!((&*shortened("short", 5), &*shortened("longer", 2)), ("short", "\u{2026}r"));
    }

    #[test]
    fn no_output_commands_a_terminal_or_a_runner() {
        for (text, safe) in [
            ("plain: text\n  1::2\n", "plain: text\n  1::2\n"),
            (
                "\x1b[1;31mred\x1b[0m\x1b[2J\x1b]0;title\u{7}\u{9b}31m\r\u{202e}",
                "\x1b[1;31mred\x1b[0m[2J]0;title31m",
            ),
            ("::error::x\n \t::add-mask::y\n", ": :error::x\n \t: :add-mask::y\n"),
            ("\x1b[1m::error::x", "\x1b[1m: :error::x"),
            ("\u{a0}::error::x\u{2028}::warning::y", "\u{a0}: :error::x::warning::y"),
            ("a ##[error]x", "a ## [error]x"),
        ] {
            assert_eq!(harmless(text), safe);
            assert_eq!(harmless(safe), safe);
        }
    }

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!([times(1e300), percent(1e300, 2)], ["1.00e300x", "1.00e302 %"]);
        assert_eq!([times(0.966), times(9.996), times(1234.0)], ["0.97x", "10.0x", "1,234x"]);
        let shares = [(0.0, 0), (0.984, 0), (0.025, 1), (0.9975, 2), (0.9, 3), (1.0, 0)];
        assert_eq!(
            shares.map(|(share, decimals)| percent(share, decimals)).join(" "),
            "0 % 98 % 2.5 % 99.75 % 90 % 100 %"
        );
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }

    #[test]
    fn levels_and_names_become_file_names() {
        for (text, want) in [
            ("4,000/s", "4000"),
            ("2.5/s", "2-5"),
            ("50% own", "50pct-own"),
            ("../../etc/passwd", "etc-passwd"),
            ("\u{1f980}", "x"),
        ] {
            assert_eq!(slug(text), want);
        }
    }

    #[test]
    fn reasons_are_alike_whatever_their_figures() {
        let late = "16 % (1.09 ms) of the p99 of payment is the generator's own lateness";
        assert_eq!(alike(late), alike(&late.replace("16 % (1.09 ms)", "9 % (868 us)")));
        assert_ne!(alike(late), alike(&late.replace("p99", "p50")));
        assert_ne!(alike(late), alike(&late.replace("payment", "replay")));
    }
}
