//! Colours. Each was checked against its background, for normal, protan, deutan and tritan vision.

use plotters::style::RGBColor;

/// The colours of one theme.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    /// `light` or `dark`
    pub(super) name: &'static str,
    pub(super) background: RGBColor,
    pub(super) text: RGBColor,
    /// Ticks, subtitle and footer.
    pub(super) muted: RGBColor,
    pub(super) grid: RGBColor,
    /// Faults and invalid runs.
    pub(super) alarm: RGBColor,
    /// Contenders that wait by awaiting.
    pub(super) awaiting: [RGBColor; 2],
    /// Contenders that wait by blocking a thread.
    pub(super) threaded: [RGBColor; 2],
    /// Any other contender.
    pub(super) third: RGBColor,
    /// What is not settled.
    pub(super) neutral: RGBColor,
    /// From weak to strong.
    pub(super) awaiting_ramp: [RGBColor; RAMP],
    /// The same.
    pub(super) threaded_ramp: [RGBColor; RAMP],
}

/// Steps of a ramp.
pub(super) const RAMP: usize = 5;

impl Theme {
    /// Dark or white ink, whichever is better to read on `colour`.
    pub(super) fn ink_on(colour: RGBColor) -> RGBColor {
        [DARK_INK, WHITE_INK]
            .into_iter()
            .max_by(|a, b| contrast(*a, colour).total_cmp(&contrast(*b, colour)))
            .expect("there are two")
    }
}

const DARK_INK: RGBColor = RGBColor(0x0E, 0x11, 0x16);
const WHITE_INK: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);

/// Both themes, in the order in which files are written.
#[cfg(test)]
pub(super) const THEMES: [Theme; 2] = [LIGHT, DARK];

pub(super) const LIGHT: Theme = Theme {
    name: "light",
    background: RGBColor(0xFF, 0xFF, 0xFF),
    text: RGBColor(0x14, 0x18, 0x1F),
    muted: RGBColor(0x5B, 0x64, 0x70),
    grid: RGBColor(0xE3, 0xE7, 0xEC),
    alarm: RGBColor(0xB0, 0x00, 0x20),
    awaiting: [RGBColor(0x00, 0x72, 0xB2), RGBColor(0x0B, 0x2F, 0x5C)],
    threaded: [RGBColor(0xBF, 0x54, 0x09), RGBColor(0x6E, 0x2A, 0x0C)],
    third: RGBColor(0x54, 0x12, 0x2C),
    neutral: RGBColor(0xEE, 0xF0, 0xF3),
    awaiting_ramp: [
        RGBColor(0xD6, 0xE8, 0xF3),
        RGBColor(0x9C, 0xC8, 0xE1),
        RGBColor(0x61, 0xA8, 0xCF),
        RGBColor(0x26, 0x87, 0xBE),
        RGBColor(0x03, 0x51, 0x7F),
    ],
    threaded_ramp: [
        RGBColor(0xF5, 0xE4, 0xD8),
        RGBColor(0xE6, 0xBC, 0x9F),
        RGBColor(0xD7, 0x95, 0x66),
        RGBColor(0xC9, 0x6E, 0x2E),
        RGBColor(0x80, 0x3E, 0x11),
    ],
};

pub(super) const DARK: Theme = Theme {
    name: "dark",
    background: RGBColor(0x10, 0x14, 0x1A),
    text: RGBColor(0xE8, 0xEC, 0xF1),
    muted: RGBColor(0x9A, 0xA4, 0xB2),
    grid: RGBColor(0x26, 0x2D, 0x37),
    alarm: RGBColor(0xFF, 0x6B, 0x6B),
    awaiting: [RGBColor(0x56, 0xB4, 0xE9), RGBColor(0xBF, 0xE2, 0xF9)],
    threaded: [RGBColor(0xF0, 0x92, 0x3B), RGBColor(0xFA, 0xD3, 0xA6)],
    third: RGBColor(0xEA, 0xE3, 0xC8),
    neutral: RGBColor(0x22, 0x29, 0x32),
    awaiting_ramp: [
        RGBColor(0x1B, 0x2E, 0x3B),
        RGBColor(0x2B, 0x52, 0x6B),
        RGBColor(0x3B, 0x77, 0x9A),
        RGBColor(0x4C, 0x9C, 0xCA),
        RGBColor(0x80, 0xC7, 0xEE),
    ],
    threaded_ramp: [
        RGBColor(0x34, 0x28, 0x1F),
        RGBColor(0x67, 0x45, 0x27),
        RGBColor(0x9B, 0x62, 0x2E),
        RGBColor(0xCE, 0x7F, 0x36),
        RGBColor(0xF4, 0xAD, 0x6C),
    ],
};

/// The contrast of two colours, 1 to 21. Source: WCAG 2.2, "contrast ratio".
pub(super) fn contrast(a: RGBColor, b: RGBColor) -> f64 {
    let channel = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    let luminance =
        |c: RGBColor| 0.2126 * channel(c.0) + 0.7152 * channel(c.1) + 0.0722 * channel(c.2);
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_can_be_read() {
        for theme in THEMES {
            let series = theme.awaiting.into_iter().chain(theme.threaded);
            let inks = series.chain([theme.third, theme.text, theme.muted, theme.alarm]);
            for ink in inks {
                let found = contrast(ink, theme.background);
                assert!(found >= 4.5, "{}: {ink:?} has {found:.1}", theme.name);
            }
        }
        assert!((contrast(LIGHT.awaiting[0], LIGHT.background) - 5.2).abs() < 0.1);
    }
}
