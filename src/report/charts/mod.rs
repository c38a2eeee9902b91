//! Charts, as self-contained SVG in a light and a dark theme.
//!
//! `theme` (colours), `text` (the font, measured), `canvas` (plotters in px), `svg` (the document) and `axis` are the
//! kit; `chrome` is around every chart; `series` and `hdr` are the percentile plot.

mod axis;
mod canvas;
mod chrome;
mod hdr;
mod series;
mod svg;
mod text;
mod theme;

use canvas::{Drawing, drawn};
use chrome::Chrome;
use series::{Series, series};
use svg::Head;
use theme::{DARK, LIGHT, Theme};

use super::findings::{loads, placements, verdict};
use super::race::{Race, races};
use super::schema::{RunResult, TrialVerdict, Verdict};
use super::sentences::{place, title};
use super::words::{capital, clean, counted, figure, listed, slug};
use crate::units::grouped;

/// Where charts lie in a report folder.
pub const CHART_FOLDER: &str = "charts";

/// A chart, ready to be written as `<stem>-light.svg` and `<stem>-dark.svg`.
#[derive(Clone, Debug)]
pub struct Chart {
    /// `hdr-payment-4000`
    pub stem: String,
    /// The chart in words.
    pub alt: String,
    /// The document on white.
    pub light: String,
    /// The document on near black.
    pub dark: String,
}

/// A chart's name and text, without its drawing.
pub(super) struct Name {
    pub(super) stem: String,
    pub(super) alt: String,
}

/// The percentile plot of each workload, level and request kind that has response times.
pub fn hdr_charts(result: &RunResult) -> Vec<Chart> {
    let races = races(result);
    plots(&races)
        .map(|(stem, race, kind)| {
            let drawing = |theme| hdr_chart(result, race, kind, &stem, theme).svg;
            let (light, dark) = (drawing(LIGHT), drawing(DARK));
            let alt = alternative(result, race, kind);
            Chart { alt, light, dark, stem }
        })
        .collect()
}

/// The names of [`hdr_charts`], in the same order.
pub(super) fn hdr_names(result: &RunResult) -> Vec<Name> {
    let races = races(result);
    plots(&races)
        .map(|(stem, race, kind)| Name { alt: alternative(result, race, kind), stem })
        .collect()
}

/// Stem, race and request kind of each plot.
fn plots<'r, 'a>(races: &'r [Race<'a>]) -> impl Iterator<Item = (String, &'r Race<'a>, &'a str)> {
    let mut stems: Vec<String> = Vec::new();
    races
        .iter()
        .flat_map(|race| race.kinds().into_iter().map(move |kind| (race, kind)))
        .filter(|(race, kind)| {
            let requests = race.trials().filter_map(|trial| trial.by_request.get(*kind));
            race.trials().any(|t| t.saturated)
                || requests.into_iter().any(|r| r.response_ns.is_some())
        })
        .map(move |(race, kind)| {
            let several = race.kinds().len() > 1;
            let mut stem = format!("hdr-{}-{}", slug(race.workload), slug(race.level));
            if several {
                stem = format!("{stem}-{}", slug(kind));
            }
            // Levels or kinds that differ in punctuation alone.
            while stems.contains(&stem) {
                stem.push('b');
            }
            stems.push(stem.clone());
            (stem, race, kind)
        })
}

fn hdr_chart(result: &RunResult, race: &Race<'_>, kind: &str, stem: &str, theme: Theme) -> Drawing {
    let mut series = series(race, kind);
    let left_out = series.len().saturating_sub(MAX_SERIES);
    series.truncate(MAX_SERIES);
    let chrome = chrome(result, race, kind, &series, left_out);
    let alt = alternative(result, race, kind);
    let head = Head { id: stem, title: &chrome.title, description: &alt };
    drawn(theme, &head, |canvas| hdr::draw(canvas, &chrome, &series, result.floor_ns))
}

/// Labels of more contenders than this do not find room beside a plot.
const MAX_SERIES: usize = 8;

fn chrome(
    result: &RunResult,
    race: &Race<'_>,
    kind: &str,
    series: &[Series],
    left_out: usize,
) -> Chrome {
    let print = &result.fingerprint;
    let trials: Vec<_> = race.trials().collect();
    let valid = trials.iter().filter(|t| t.validity.verdict == TrialVerdict::Valid).count();
    let samples = series.iter().map(|s| s.n).filter(|n| *n > 0);
    let samples = match (samples.clone().min(), samples.max()) {
        (Some(least), Some(most)) if least == most => format!("n = {} each", grouped(least as f64)),
        (Some(least), Some(most)) => {
            format!("n = {} to {} each", grouped(least as f64), grouped(most as f64))
        }
        _ => "no samples".into(),
    };
    let rounds = race.entries.iter().map(|entry| entry.trials.len()).max().unwrap_or(0);
    let of_kind =
        if race.kinds().len() > 1 { format!(" of {}", clean(kind)) } else { String::new() };
    let subtitle = format!(
        "Response time{of_kind} from the intended start, {}, {}. {}: {}. {}, {samples}; {valid} of {} VALID",
        at_load(race),
        listed(&loads(race.trials())),
        capital(&counted(print.cores as usize, "core")),
        listed(&placements(result)),
        counted(rounds, "round"),
        counted(trials.len(), "trial"),
    );
    let drawn = series.iter().filter(|s| !s.response.is_empty());
    let dashed = drawn.clone().count() <= hdr::SERVICE_LINES_UP_TO
        && drawn.clone().any(|s| !s.service.is_empty());
    let mut method = String::from(
        "Line: the rounds that hold, merged; it stops where fewer than 10 samples lie beyond. Hollow mark: p99.",
    );
    if dashed {
        method += " Dashed: service time.";
    }
    if left_out > 0 {
        method += &format!(" Not drawn: {}.", counted(left_out, "contender"));
    }
    method += " A ratio: rounds paired, exact signed-rank 95 %.";
    Chrome {
        title: title(result, race, kind),
        subtitle,
        method,
        provenance: format!(
            "{}, Linux {}, {}; bakeoff {}, binary {}, {}, seed {}, {}; over loopback",
            clean(&print.cpu_model),
            clean(&print.kernel),
            counted(print.cores as usize, "core"),
            clean(&print.bakeoff),
            clean(&print.binary),
            clean(&result.scenario),
            result.seed,
            clean(&result.started_utc),
        ),
        stamp: matches!(result.verdict, Verdict::Invalid | Verdict::Interrupted)
            .then(|| verdict(result.verdict)),
    }
}

/// `4,000/s` beside a level that is a share.
fn at_load(race: &Race<'_>) -> String {
    let place = place(race);
    place.strip_prefix(&clean(race.workload)).unwrap_or(&place).trim().to_owned()
}

/// What a chart shows, for those who do not see it.
fn alternative(result: &RunResult, race: &Race<'_>, kind: &str) -> String {
    let figures: Vec<String> = race
        .entries
        .iter()
        .map(|entry| {
            let [p50, p99] = [500, 990].map(|per_mille| figure(entry.response(kind, per_mille)));
            format!("{} p50 {p50}, p99 {p99}", clean(entry.name))
        })
        .collect();
    format!("{}. Response time by percentile: {}.", title(result, race, kind), figures.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::mock;

    use theme::THEMES;

    /// Runs whose charts have something to get wrong: plain, broken, close together, and named by an enemy.
    fn runs() -> Vec<RunResult> {
        let mut broken = mock::payments(6, &mock::MODELS);
        mock::saturate(&mut broken, "thread-pool");
        mock::mark(&mut broken, "work-stealing", TrialVerdict::Suspect, "steal");
        broken.verdict = Verdict::Invalid;
        broken.floor_ns = Some(72_000);
        let close = [("event-loop", 96.0, 1.0), ("threads-64", 97.0, 1.02)];
        let enemy = [("<script>alert(1)</script>", 96.0, 1.0), ("a&b\"' --> ]]>", 97.0, 1.4)];
        vec![
            mock::payments(6, &mock::MODELS),
            broken,
            mock::payments(6, &close),
            mock::payments(6, &enemy),
        ]
    }

    #[test]
    fn no_text_is_clipped_or_lies_on_another() {
        for (index, run) in runs().iter().enumerate() {
            for (stem, race, kind) in plots(&races(run)) {
                for theme in THEMES {
                    let placed = hdr_chart(run, race, kind, &stem, theme).placed;
                    assert!(placed.len() > 10, "run {index}: a chart without labels");
                    for (i, a) in placed.iter().enumerate() {
                        let inside =
                            a.left >= 0.0 && a.top >= 0.0 && a.right <= 1200.0 && a.bottom <= 675.0;
                        assert!(inside, "run {index}: clipped: {a:?}");
                        for b in &placed[i + 1..] {
                            let apart = a.right <= b.left
                                || b.right <= a.left
                                || a.bottom <= b.top
                                || b.bottom <= a.top;
                            assert!(apart, "run {index}: {a:?} lies on {b:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_hostile_name_stays_text() {
        for run in runs() {
            for chart in hdr_charts(&run) {
                assert!(!chart.light.contains("<script") && !chart.dark.contains("<script"));
                assert!(chart.light.ends_with("</svg>\n") || chart.light.ends_with("</svg>"));
            }
        }
    }
}
