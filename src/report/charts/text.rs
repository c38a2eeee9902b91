//! The charts' font: measured here, embedded in every SVG.
//!
//! Text is measured through the `ab_glyph` crate and not through plotters' feature of that name: with the feature on,
//! criterion's own plots panic, because features unify.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::text::shortened;

/// Inter (SIL Open Font License 1.1), subset, with tabular digits, renamed as its licence asks.
pub(super) const FAMILY: &str = "Bakeoff Sans";

/// The font and what stands in for it, as CSS has it.
pub(super) const STACK: &str =
    "'Bakeoff Sans',Inter,-apple-system,'Segoe UI',Roboto,Arial,sans-serif";

/// A weight of the font.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    SemiBold,
}

/// How wide `text` is at `px`, in px. Kerning is left out, so that it is never narrower in a browser's eyes.
pub(super) fn width(text: &str, px: f64, weight: Weight) -> f64 {
    let font = match weight {
        Weight::Regular => &*REGULAR,
        Weight::SemiBold => &*SEMI_BOLD,
    };
    let em = f64::from(font.units_per_em().expect("an OpenType font states its em"));
    let known = |c: char| f64::from(font.h_advance_unscaled(font.glyph_id(c)));
    let advance = |c: char| match font.glyph_id(c).0 {
        0 => latin(c).chars().map(known).sum::<f64>().max(foreign_em(c) * em),
        _ => known(c),
    };
    text.chars().map(advance).sum::<f64>() * px / em
}

/// How wide a character is that the font lacks: one of the reader's fonts draws it, or in a PNG [`latin`]'s letters do.
fn foreign_em(c: char) -> f64 {
    // Alphabets come before Hangul, syllables, ideographs and pictures after it.
    if c < '\u{1100}' { 0.8 } else { 1.4 }
}

/// A character that the font lacks in letters that it has: `\u{448}` is `sh`.
#[cfg(feature = "png")]
pub(super) fn latin(c: char) -> &'static str {
    deunicode::deunicode_char(c).filter(|text| is_drawn(text)).unwrap_or("?")
}

/// It is never drawn.
#[cfg(not(feature = "png"))]
fn latin(_: char) -> &'static str {
    ""
}

/// `text`, or as much of it as fits in `room` px and an ellipsis.
pub(super) fn fitted(text: &str, px: f64, weight: Weight, room: f64) -> String {
    if width(text, px, weight) <= room {
        return text.to_owned();
    }
    let mut chars: Vec<char> = text.chars().collect();
    while let Some(_dropped) = chars.pop() {
        let start: String = chars.iter().collect();
        let shorter = format!("{}\u{2026}", start.trim_end());
        if width(&shorter, px, weight) <= room {
            return shorter;
        }
    }
    String::new()
}

/// A name, or as much of its start and of its end as fits in `room` px around an ellipsis: of a sweep's names the ends
/// differ.
pub(super) fn fitted_name(name: &str, px: f64, weight: Weight, room: f64) -> String {
    let fits = |text: &str| width(text, px, weight) <= room;
    if fits(name) {
        return name.to_owned();
    }
    let mut shorter = (2..name.chars().count()).rev().map(|most| shortened(name, most));
    shorter.find(|text| fits(text)).unwrap_or_default()
}

/// `text` in lines that fit into `room` px, broken between words; a word that is wider stands alone and is cut.
pub(super) fn broken(text: &str, px: f64, weight: Weight, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line)
                if width(line, px, weight) + width(&format!(" {word}"), px, weight) <= room =>
            {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fitted(word, px, weight, room)),
        }
    }
    lines
}

/// Our own ASCII as print has it: `1.38x` with a multiplication sign, `us` with a mu.
pub(super) fn typeset(text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let (core, tail) = word.split_at(word.trim_end_matches([',', '.', ';', ')', ':']).len());
        let digits = core.trim_start_matches('(').strip_suffix('x').unwrap_or_default();
        let is_ratio =
            !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || ".,".contains(c));
        let after_number =
            out.last().is_some_and(|last| last.ends_with(|c: char| c.is_ascii_digit()));
        out.push(match core {
            "us" if after_number => format!("\u{b5}s{tail}"),
            _ if core.starts_with("+-") => format!("\u{b1}{}{tail}", &core[2..]),
            _ if is_ratio => format!("{}\u{d7}{tail}", &core[..core.len() - 1]),
            _ => word.to_owned(),
        });
    }
    out.join(" ")
}

/// Whether the font draws every character of `text` itself.
#[cfg(any(test, feature = "png"))]
pub(super) fn is_drawn(text: &str) -> bool {
    text.chars().all(|c| REGULAR.glyph_id(c).0 != 0 && SEMI_BOLD.glyph_id(c).0 != 0)
}

/// `@font-face` rules that carry both weights. An SVG inside `<img>` may load nothing from outside.
pub(super) fn faces() -> &'static str {
    static FACES: LazyLock<String> = LazyLock::new(|| {
        let face = |weight: u32, font: &[u8]| {
            format!(
                "@font-face{{font-family:'{FAMILY}';font-weight:{weight};\
                 src:url(data:font/woff2;base64,{}) format('woff2')}}",
                BASE64.encode(font)
            )
        };
        face(400, include_bytes!("assets/bakeoff-Regular.woff2"))
            + &face(600, include_bytes!("assets/bakeoff-SemiBold.woff2"))
    });
    &FACES
}

/// Both weights as OpenType files.
pub(super) const FILES: [&[u8]; 2] =
    [include_bytes!("assets/bakeoff-Regular.otf"), include_bytes!("assets/bakeoff-SemiBold.otf")];

static REGULAR: LazyLock<FontRef<'static>> = LazyLock::new(|| parsed(FILES[0]));
static SEMI_BOLD: LazyLock<FontRef<'static>> = LazyLock::new(|| parsed(FILES[1]));

fn parsed(font: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(font).expect("the font is part of the binary and its tests read it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_tabular_and_bold_is_wider() {
        assert_eq!(width("1111", 14.0, Weight::Regular), width("0000", 14.0, Weight::Regular));
        assert!(
            width("event-loop", 14.0, Weight::SemiBold)
                > width("event-loop", 14.0, Weight::Regular)
        );
        assert!(!is_drawn("\u{1f980}"));
    }

    #[test]
    fn ratios_and_units_are_typeset_and_names_are_not() {
        assert_eq!(
            typeset("thread-pool-2x is 1.38x higher (1.2x to 1.6x), 87 us of us"),
            "thread-pool-2x is 1.38\u{d7} higher (1.2\u{d7} to 1.6\u{d7}), 87 \u{b5}s of us"
        );
    }

    #[test]
    fn text_is_cut_to_its_room() {
        let text = "a title that is far too long for the room that there is";
        for room in [40.0, 100.0, 200.0] {
            assert!(
                width(&fitted(text, 14.0, Weight::Regular, room), 14.0, Weight::Regular) <= room
            );
        }
        assert_eq!(fitted("short", 14.0, Weight::Regular, 100.0), "short");
    }

    #[test]
    fn names_of_a_sweep_are_told_apart_in_their_room() {
        let names =
            ["16", "64", "256"].map(|size| format!("checkout-thread-pool-of-threads-{size}"));
        for room in [60.0, 120.0, 200.0] {
            let fitted = names.each_ref().map(|it| fitted_name(it, 14.0, Weight::Regular, room));
            assert!(fitted.iter().all(|it| width(it, 14.0, Weight::Regular) <= room));
            assert!(fitted[0] != fitted[1] && fitted[1] != fitted[2], "{fitted:?}");
            assert!(fitted[2].starts_with("ch") && fitted[2].ends_with("56"), "{fitted:?}");
        }
    }

    #[cfg(feature = "png")]
    #[test]
    fn names_in_other_scripts_have_letters_and_room_for_them() {
        let shown = |text: &str| text.chars().map(latin).collect::<String>();
        assert_eq!(shown("\u{441}\u{435}\u{440}\u{432}\u{438}\u{441}"), "servis");
        assert!(shown("\u{652f}\u{6255}\u{3044}").starts_with("Zhi "));
        let wide = "\u{652f}\u{6255}\u{3044}";
        assert!(width(wide, 14.0, Weight::Regular) >= width(&shown(wide), 14.0, Weight::Regular));
    }

    #[test]
    fn text_is_broken_between_words() {
        let text = "a title that is far too long for the room that there is";
        let lines = broken(text, 14.0, Weight::Regular, 130.0);
        assert!(lines.len() > 2, "{lines:?}");
        assert_eq!(lines.join(" "), text);
        assert!(lines.iter().all(|line| width(line, 14.0, Weight::Regular) <= 130.0));
        assert_eq!(broken("", 14.0, Weight::Regular, 130.0), Vec::<String>::new());
    }
}
