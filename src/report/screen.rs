//! The tour on one screen of 24 lines and 80 columns: what was found, its figures, whether it holds, and where the rest is.

use super::comparison::{AT_FLOOR, UNSEEN, confidence};
use super::findings::verdict_gloss;
use super::losses;
use super::terminal::{self, grid, wrapped};
use crate::judge::cell::{Side, ends, headline, side};
use crate::judge::races::{Entry, Race, races};
use crate::record::metric::label;
use crate::record::{Comparison, RunResult, Verdict};
use crate::report::format::{figure, place};
use crate::text::{WITHHELD, capital, clean, or_withheld, times};
use crate::units::{bytes, grouped, three_digits};
use std::path::Path;

/// The end of a run for a terminal: one screen where the run speaks of something, else the whole report.
pub fn screen(result: &RunResult, files: &Path) -> String {
    let races = races(result);
    let spoken: Vec<Spoken<'_>> =
        races.iter().filter_map(|race| Spoken::of(result, race)).collect();
    if spoken.is_empty() || matches!(result.verdict, Verdict::Invalid | Verdict::Interrupted) {
        return terminal::terminal(result, Some(files));
    }
    let mut lines = Vec::new();
    for (number, one) in (1..).zip(&spoken) {
        lines.push(wrapped(&format!(" {number} {}", one.sentence()), "   "));
    }
    lines.push(String::new());
    lines.push(figures(&spoken));
    lines.push(String::new());
    lines.push(wrapped(&level(&spoken), "  "));
    lines.push(wrapped(&terminal::validity(result), "  "));
    lines.push(wrapped(
        &format!("The report, with the reasons: {}", files.join("index.html").display()),
        "  ",
    ));
    lines.push(format!("{}: {}", result.verdict.word(), verdict_gloss(result)));
    lines.join("\n") + "\n"
}

/// A race with the comparisons that the run speaks of.
struct Spoken<'r> {
    race: &'r Race<'r>,
    comparisons: Vec<&'r Comparison>,
}

impl<'r> Spoken<'r> {
    fn of(result: &'r RunResult, race: &'r Race<'r>) -> Option<Self> {
        let comparisons: Vec<&Comparison> = headline(result, race).collect();
        (!comparisons.is_empty()).then_some(Self { race, comparisons })
    }

    fn metric(&self) -> &'r str {
        &self.comparisons[0].metric
    }

    /// `Payment at 1,500/s: CPU/request against event-loop: work-stealing no clear difference (0.98x to 1.03x), thread-pool
    /// 1.26x (1.20x to 1.31x)`
    fn sentence(&self) -> String {
        let against = clean(&self.comparisons[0].versus);
        let found = self.comparisons.iter().map(|c| self.found(c));
        format!(
            "{}: {} against {against}: {}.",
            capital(&place(self.race)),
            label(self.metric()),
            found.collect::<Vec<_>>().join(", ")
        )
    }

    fn found(&self, c: &Comparison) -> String {
        let of = clean(&c.of);
        let (low, high) = ends(c);
        let interval = format!("({} to {})", times(low), times(high));
        let lost = losses::of_comparison(self.race, c);
        match (c.ratio, side(c)) {
            (_, _) if lost.is_some() => lost.unwrap_or_default(),
            (None, _) => format!("{of} not compared"),
            (Some(_), _) if c.low.is_none() => format!("{of} too few rounds (n = {})", c.n),
            (Some(_), Side::Unclear) if c.at_floor.is_some() => {
                format!("{of} {UNSEEN} {interval}: it {AT_FLOOR}")
            }
            (Some(_), Side::Unclear) => format!("{of} no clear difference {interval}"),
            (Some(ratio), _) => format!("{of} {} {interval}", times(ratio)),
        }
    }

    /// The headline of one contender, the median of its rounds.
    fn figure(&self, entry: &Entry<'_>) -> String {
        let kind = self.comparisons[0].request.as_deref();
        let response =
            |per_mille| figure(entry.response(kind.unwrap_or(self.race.kinds()[0]), per_mille));
        match self.metric() {
            "p50" | "completion" => response(500),
            "p90" => response(900),
            "p99" => response(990),
            "p99_9" => response(999),
            "cpu_per_request" => {
                let cpu = entry.middle(|trial| trial.server.cpu_us_per_request);
                or_withheld(cpu, |us| format!("{} us", three_digits(us)))
            }
            "memory" => or_withheld(entry.memory(), bytes),
            "goodput" => or_withheld(entry.middle(|trial| trial.goodput_rps), per_second),
            "achieved" => or_withheld(entry.middle(|trial| Some(trial.achieved_rps)), per_second),
            _ => WITHHELD.into(),
        }
    }
}

fn per_second(rps: f64) -> String {
    format!("{}/s", grouped(rps))
}

/// A row for each race, a column for each contender.
fn figures(spoken: &[Spoken<'_>]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for entry in spoken.iter().flat_map(|one| &one.race.entries) {
        if !names.contains(&entry.name) {
            names.push(entry.name);
        }
    }
    let mut table = grid();
    table.set_header(std::iter::once(String::new()).chain(names.iter().map(|name| clean(name))));
    for (number, one) in (1..).zip(spoken) {
        let cell =
            |name: &&str| one.race.entry(name).map_or(WITHHELD.into(), |entry| one.figure(entry));
        let head = format!("{number} {}", label(one.metric()));
        table.add_row(std::iter::once(head).chain(names.iter().map(cell)));
    }
    terminal::right_aligned(&mut table);
    terminal::trimmed(&table.to_string())
}

/// `Ratios of paired rounds with intervals at 99.4 %: all 8 hold at 95 % (n = 9).`
fn level(spoken: &[Spoken<'_>]) -> String {
    let all: Vec<&Comparison> = spoken.iter().flat_map(|one| &one.comparisons).copied().collect();
    let n = all.iter().map(|c| c.n).min().unwrap_or(0);
    let all_of = if all.len() == 1 { "it holds".into() } else { format!("all {} hold", all.len()) };
    format!(
        "Ratios of paired rounds with intervals at {}: {all_of} at 95 % (n = {n}).",
        confidence(all[0])
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    /// A tour of four races, as crowded as one may be.
    fn tour() -> RunResult {
        let mut tour = mock::empty("tour", "Two services, four concurrency models");
        for (place, (workload, level)) in [
            ("payment", "1,500/s"),
            ("payment", "4,000/s"),
            ("payment", "750/s"),
            ("loyalty", "50%"),
        ]
        .into_iter()
        .enumerate()
        {
            let models = if place % 2 == 0 { &mock::MODELS[..] } else { &mock::MODELS[..2] };
            mock::add_race(&mut tour, workload, level, 1_500.0, &[(workload, 5_200)], 9, models);
        }
        for trial in tour.trials.iter_mut().filter(|trial| trial.level == "1,500/s") {
            trial.dependency = Some("a stand-in (lookup 1ms, write 1ms)".into());
        }
        tour
    }

    #[test]
    fn a_tour_ends_on_one_screen() {
        let mut tour = tour();
        let files = Path::new("reports/tour/2026-11-24T04-09-53Z");
        let text = screen(&tour, files);
        insta::assert_snapshot!(text);
        assert!(text.lines().count() <= 24, "{}", text.lines().count());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        tour.verdict = Verdict::Interrupted;
        assert!(
            screen(&tour, files).contains("interrupted"),
            "the whole report says what there is"
        );
        tour.verdict = Verdict::Pass;
        tour.comparisons.iter_mut().for_each(|c| c.headline_confidence = None);
        assert!(screen(&tour, files).lines().count() > 24, "it speaks of nothing");
    }
}
