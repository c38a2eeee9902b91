//! Colours. Each was checked against its background, for normal, protan, deutan and tritan vision.

use crate::record::ContenderInfo;
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
    let luminance =
        |c: RGBColor| 0.2126 * linear(c.0) + 0.7152 * linear(c.1) + 0.0722 * linear(c.2);
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// An sRGB channel as light, 0 to 1.
fn linear(channel: u8) -> f64 {
    let value = f64::from(channel) / 255.0;
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// More contenders than this cannot be told apart: the rest are grey.
const COLOURED: usize = 4;

/// A colour by place in its family, and a shape by family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    family: ColourFamily,
    /// Among those of the family, counted from 0.
    place: usize,
    /// Beyond [`COLOURED`].
    grey: bool,
}

/// Who waits how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColourFamily {
    /// By awaiting.
    Awaiting,
    /// By blocking a thread.
    Threaded,
    Other,
}

/// The styles of contenders in their order: a name, and what is known of it.
pub(super) fn styles<'a>(
    contenders: impl Iterator<Item = (&'a str, Option<&'a ContenderInfo>)>,
) -> Vec<Style> {
    let mut seen: Vec<ColourFamily> = Vec::new();
    contenders
        .map(|(name, info)| {
            let family = ColourFamily::of(name, info);
            let place = seen.iter().filter(|other| **other == family).count();
            seen.push(family);
            Style { family, place, grey: seen.len() > COLOURED }
        })
        .collect()
}

impl Style {
    pub(super) fn colour(self, theme: &Theme) -> RGBColor {
        match (self.family, self.place) {
            _ if self.grey => theme.muted,
            (ColourFamily::Awaiting, place @ 0..2) => theme.awaiting[place],
            (ColourFamily::Threaded, place @ 0..2) => theme.threaded[place],
            (ColourFamily::Other, 0) => theme.third,
            (ColourFamily::Other, place @ 1..3) => theme.awaiting[place - 1],
            (ColourFamily::Other, 3) => theme.threaded[0],
            _ => theme.muted,
        }
    }

    pub(super) fn is_square(self) -> bool {
        self.family == ColourFamily::Threaded
    }

    pub(super) fn family(self) -> ColourFamily {
        self.family
    }
}

impl ColourFamily {
    /// As the scenario says; else by the name: built-in contenders are named as their model, and people name theirs
    /// for what they are.
    fn of(name: &str, info: Option<&ContenderInfo>) -> Self {
        match info.and_then(|info| info.series.as_deref()) {
            Some("async" | "1") => return Self::Awaiting,
            Some("threaded" | "2") => return Self::Threaded,
            Some("3" | "4") => return Self::Other,
            _ => {}
        }
        let name = info.and_then(|info| info.model.as_deref()).unwrap_or(name).to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        if has(&["thread", "rayon", "blocking"]) {
            Self::Threaded
        } else if has(&["event-loop", "work-stealing", "async", "tokio", "node"]) {
            Self::Awaiting
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::charts::theme::LIGHT;

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
    }

    #[test]
    fn contrasts_are_as_published() {
        for (theme, want) in [(LIGHT, [5.2, 4.7, 14.0, 7.3]), (DARK, [8.0, 7.8, 14.4, 6.7])] {
            let inks = [theme.awaiting[0], theme.threaded[0], theme.third, theme.alarm];
            for (ink, want) in inks.into_iter().zip(want) {
                let found = contrast(ink, theme.background);
                assert!(found > want - 0.06, "{}: {ink:?} has {found:.2}, not {want}", theme.name);
            }
            for fill in theme.awaiting_ramp.into_iter().chain(theme.threaded_ramp) {
                let found = contrast(Theme::ink_on(fill), fill);
                assert!(found >= 4.5, "{}: text on {fill:?} has {found:.2}", theme.name);
            }
        }
    }

    #[test]
    fn series_differ_for_every_eye() {
        for theme in THEMES {
            let three = [theme.awaiting[0], theme.threaded[0], theme.third];
            let [a, b] = [theme.awaiting, theme.threaded];
            for (name, eye) in EYES {
                let (least, all) = (nearest(&three, eye), nearest(&[a[0], a[1], b[0], b[1]], eye));
                assert!(least > 0.18, "{}, {name}: the three are {least:.3} apart", theme.name);
                assert!(all > 0.1, "{}, {name}: the four are {all:.3} apart", theme.name);
            }
        }
    }

    type Eye = [[f64; 3]; 3];

    /// What eyes see of linear RGB. Source: Machado et al. 2009, severity 1.
    const EYES: [(&str, Eye); 4] = [
        ("normal", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        (
            "protan",
            [
                [0.152286, 1.052583, -0.204868],
                [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998],
            ],
        ),
        (
            "deutan",
            [
                [0.367322, 0.860646, -0.227968],
                [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881],
            ],
        ),
        (
            "tritan",
            [
                [1.255528, -0.076749, -0.178779],
                [-0.078411, 0.930809, 0.147602],
                [0.004733, 0.691367, 0.303900],
            ],
        ),
    ];

    /// The least distance of two of `colours` in Oklab, in which 0.02 is just seen (Ottosson 2020).
    fn nearest(colours: &[RGBColor], eye: Eye) -> f64 {
        let seen: Vec<[f64; 3]> = colours.iter().map(|colour| oklab(*colour, eye)).collect();
        let pairs =
            seen.iter().enumerate().flat_map(|(i, a)| seen[..i].iter().map(move |b| (a, b)));
        let distance = |(a, b): (&[f64; 3], &[f64; 3])| {
            a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
        };
        pairs.map(distance).fold(f64::MAX, f64::min)
    }

    fn times(matrix: Eye, v: [f64; 3]) -> [f64; 3] {
        matrix.map(|row| row.iter().zip(v).map(|(a, b)| a * b).sum())
    }

    fn oklab(colour: RGBColor, eye: Eye) -> [f64; 3] {
        let linear = [colour.0, colour.1, colour.2].map(linear);
        let cones = times(
            [
                [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
                [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
                [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
            ],
            times(eye, linear).map(|channel| channel.clamp(0.0, 1.0)),
        );
        times(
            [
                [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
                [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
                [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
            ],
            cones.map(f64::cbrt),
        )
    }

    #[test]
    fn four_are_coloured_and_the_fifth_is_grey() {
        let names = ["event-loop", "work-stealing", "thread-pool", "threads-64", "async-2"];
        let styles = styles(names.iter().map(|name| (*name, None)));
        let colours: Vec<RGBColor> = styles.iter().map(|style| style.colour(&LIGHT)).collect();
        assert_eq!(
            colours,
            [
                LIGHT.awaiting[0],
                LIGHT.awaiting[1],
                LIGHT.threaded[0],
                LIGHT.threaded[1],
                LIGHT.muted
            ]
        );
        assert!(!styles[0].is_square() && styles[2].is_square());
    }

    #[test]
    fn a_scenario_names_the_colour_of_a_contender() {
        let info = ContenderInfo { series: Some("threaded".into()), ..Default::default() };
        assert!(styles([("async", Some(&info))].into_iter())[0].is_square());
    }
}
