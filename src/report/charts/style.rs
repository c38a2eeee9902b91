//! The colour and the shape of a contender, the same on every chart of a run.

use plotters::style::RGBColor;

use super::theme::Theme;
use crate::record::ContenderInfo;

/// More contenders than this cannot be told apart: the rest are grey.
const COLOURED: usize = 4;

/// A colour by place in its family, and a shape by family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    family: Family,
    /// Among those of the family, counted from 0.
    place: usize,
    /// Beyond [`COLOURED`].
    grey: bool,
}

/// Who waits how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
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
    let mut seen: Vec<Family> = Vec::new();
    contenders
        .map(|(name, info)| {
            let family = Family::of(name, info);
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
            (Family::Awaiting, place @ 0..2) => theme.awaiting[place],
            (Family::Threaded, place @ 0..2) => theme.threaded[place],
            (Family::Other, 0) => theme.third,
            (Family::Other, place @ 1..3) => theme.awaiting[place - 1],
            (Family::Other, 3) => theme.threaded[0],
            _ => theme.muted,
        }
    }

    pub(super) fn is_square(self) -> bool {
        self.family == Family::Threaded
    }

    pub(super) fn family(self) -> Family {
        self.family
    }
}

impl Family {
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
