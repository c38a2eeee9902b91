//! A run's result: its finding, one table, and everything else behind it.

use std::collections::BTreeSet;
use std::path::Path;

use super::across;
use super::charts::{ChartKind, Picture, pictures, untrustworthy};
use super::comparison::families;
use super::comparison::{Spoken, rule, spoken};
use super::document::{Document, Element, Table};
use super::html::write_html;
use super::markdown::write_markdown;
use super::reasons::{self, Reason};
use super::terminal::write_text;
use super::{experiments, figures, machines, sentences, setting, sizes, why};
use crate::judge::races::{Race, measured, races};
use crate::record::trial::{drop_all_but_response_times, drop_histograms};
use crate::record::{AuditVerdict, Judgement, RunResult, Trial, TrialVerdict, Verdict};
use crate::text::{clean, counted, distinct, listed, percent};
use crate::units::{Nanos, grouped};

/// For a terminal; `files` is the report folder, where one was written. With ANSI styles: print it through `anstream`.
/// What a short text leaves out is in the report, and here if it is `verbose`.
pub fn text(result: &RunResult, files: Option<&Path>, verbose: bool) -> String {
    let report =
        files.map(|files| format!("Report (or --verbose): {}", files.join("index.html").display()));
    write_text(&Document { files: report, ..document(result, &[]) }, verbose)
}

/// `summary.md`; charts are linked relative to the report folder.
pub fn markdown(result: &RunResult) -> String {
    markdown_with(result, &pictures(result))
}

/// The same where its pictures are at hand.
pub(super) fn markdown_with(result: &RunResult, pictures: &[Picture<'_>]) -> String {
    write_markdown(&document(result, pictures))
}

/// `index.html`
pub fn html(result: &RunResult) -> String {
    html_with(result, &pictures(result))
}

/// The same where its pictures are at hand.
pub(super) fn html_with(result: &RunResult, pictures: &[Picture<'_>]) -> String {
    let mut document = document(result, pictures);
    let (json, note) = raw(result);
    document.fold("Raw data", vec![Element::Text(note.into()), Element::Data(json)]);
    write_html(&document)
}

fn document<'p>(result: &RunResult, pictures: &'p [Picture<'p>]) -> Document<'p> {
    let races = races(result);
    let mut document = Document {
        title: format!("{}: {}", clean(&result.scenario), clean(&result.title)),
        verdict: verdict(result, &races),
        alarm: alarm(result),
        answer: {
            let answer = sentences::answer(result, &races).into_iter();
            answer.chain(why::sentences(result)).collect()
        },
        blocks: first_screen(result, &races),
        ..Document::default()
    };
    let figure = |(place, picture): (usize, &'p Picture<'p>)| Element::Figure {
        heading: if place == 0 { "" } else { heading(picture) },
        picture,
        in_summary: IN_SUMMARY.contains(&picture.kind),
    };
    let mut figures = pictures.iter().enumerate().map(figure);
    document.blocks.extend(figures.next());
    document.fold("Figures and comparisons", every_figure(result, &races));
    document.fold("Charts", figures.collect());
    let reasons = reasons::reasons(result, &races);
    let mut checks = vec![Element::Table(Table::new("", ["check", "found"], 0..0, checks(result)))];
    if !reasons.is_empty() {
        let row = |r: Reason| [r.verdict.to_owned(), r.text, r.whose];
        let columns = ["verdict", "reason", "whose"];
        let rows = reasons.into_iter().map(row);
        checks.push(Element::Table(Table::new("Why trials are marked", columns, 0..0, rows)));
    }
    document.fold("Self-checks", checks);
    let mut how = setting::about(result, &races);
    how.extend(remarks(result));
    document.fold("How it was measured", list(how));
    let command = setting::command(result).map(Element::Code);
    let again = command.into_iter().chain([Element::Text(setting::reproduction(result))]);
    document.fold("How to reproduce", again.collect());
    document
}

fn list<'p>(lines: Vec<String>) -> Vec<Element<'p>> {
    vec![Element::List("", lines)]
}

/// The table that the answer speaks of, what was expected, and what is not shown.
fn first_screen<'p>(result: &RunResult, races: &[Race<'_>]) -> Vec<Element<'p>> {
    let spoken = spoken(result, races);
    let best = sizes::grids(result, races);
    let mut tables = match (best.is_empty(), spoken.len() > 1) {
        (false, _) => best,
        (true, true) => vec![compact(&spoken)],
        (true, false) => races.iter().map(figures::few).collect(),
    };
    tables.extend(experiments::grids(result));
    tables.extend(statements(result, "Expectations", &result.expectations));
    tables.extend(statements(result, "Claims (they do not change the exit code)", &result.claims));
    tables.extend(across::table(result));
    let mut blocks: Vec<Element<'p>> = tables.into_iter().map(Element::Table).collect();
    blocks.extend(rule(&spoken).map(Element::Text));
    blocks.push(Element::Text(validity(result, races)));
    let limits = sentences::limits(result).join(", ");
    blocks.push(Element::Text(format!("Not shown: {limits}.")));
    blocks
}

/// Of several races: a row for each contender, a column for each race in the metric that the run speaks of there.
fn compact(spoken: &[Spoken<'_>]) -> Table {
    let entries = spoken.iter().flat_map(|one| &one.race.entries);
    let names = distinct(entries.map(|entry| entry.name));
    let heads: Vec<String> =
        (1..).zip(spoken).map(|(n, one)| format!("{n} {}", one.head())).collect();
    let row = |name: &str| -> Vec<String> {
        let figures = spoken.iter().map(|one| one.figure(name));
        std::iter::once(clean(name)).chain(figures).collect()
    };
    let columns = std::iter::once("").chain(heads.iter().map(String::as_str));
    Table::new("", columns, 1..1 + heads.len(), names.into_iter().map(row))
}

/// A statement each with what was found.
fn statements(result: &RunResult, heading: &str, judged: &[Judgement]) -> Option<Table> {
    let machines = machines::count(result).map(|machines| format!("on {machines}"));
    let row = |one: &Judgement| {
        let mut reason = clean(&one.reason);
        let with = (!one.tested_with.is_empty())
            .then(|| format!("tested with {}", clean(&one.tested_with)));
        let how: Vec<String> = with.into_iter().chain(machines.clone()).collect();
        if !how.is_empty() {
            reason += &format!(" ({})", how.join(", "));
        }
        [one.verdict.name().to_owned(), clean(&one.text), reason]
    };
    let columns = ["verdict", "statement", "reason"];
    (!judged.is_empty()).then(|| Table::new(heading, columns, 0..0, judged.iter().map(row)))
}

/// `92 of 96 trials are VALID and 4 SUSPECT; 1 round was void and repeated (2 reasons under Self-checks).`
fn validity(result: &RunResult, races: &[Race<'_>]) -> String {
    let counts = || result.trials.iter().filter(|trial| !trial.voided);
    let of = |verdict| counts().filter(|trial| trial.validity.verdict == verdict).count();
    let mut parts =
        vec![format!("{} of {} trials are VALID", of(TrialVerdict::Valid), counts().count())];
    for verdict in [TrialVerdict::Suspect, TrialVerdict::Invalid] {
        let n = of(verdict);
        parts.extend((n > 0).then(|| format!("{n} {}", verdict.word())));
    }
    let void = match result.voided_rounds {
        0 => String::new(),
        1 => "; 1 round was void and repeated".into(),
        n => format!("; {n} rounds were void and repeated"),
    };
    let why = match reasons::reasons(result, races).len() {
        0 => String::new(),
        n => format!(" ({} under Self-checks)", counted(n, "reason")),
    };
    format!("{}{}{void}{why}.", machines::before(result), listed(&parts))
}

/// Each race with all its columns, marks and comparisons.
fn every_figure<'p>(result: &RunResult, races: &[Race<'_>]) -> Vec<Element<'p>> {
    let mut blocks = Vec::new();
    for race in races {
        blocks.push(Element::Table(figures::all(race)));
        blocks.push(Element::List("", figures::marks(result, race)));
        blocks.extend(figures::steps(race).map(Element::Table));
        blocks.push(Element::List("", figures::transfers(race)));
        blocks.extend(figures::comparisons(result, race).map(Element::Table));
    }
    if !races.is_empty() {
        blocks.push(Element::Text(figures::NOTE.into()));
    }
    blocks
}

fn remarks(result: &RunResult) -> Vec<String> {
    let mut remarks: Vec<String> = families(&result.comparisons).into_iter().collect();
    remarks.extend(result.notes.iter().map(|note| clean(note)));
    remarks.extend(reasons::marks(result));
    if !result.not_checked.is_empty() {
        let rules: Vec<String> = result.not_checked.iter().map(|rule| clean(rule)).collect();
        remarks.push(format!("Not checked: {}.", rules.join(", ")));
    }
    remarks
}

/// With what it means. Where nothing was measured, a PASS would say that something passed.
fn verdict(result: &RunResult, races: &[Race<'_>]) -> Option<(&'static str, String)> {
    let is_empty = races.is_empty() && experiments::sentences(result).is_empty();
    let says_nothing = result.verdict == Verdict::Pass && is_empty;
    (!says_nothing).then(|| (result.verdict.word(), gloss(result)))
}

/// What the verdict means, with the exit code.
fn gloss(result: &RunResult) -> String {
    let code = result.exit_code;
    let text = match (result.verdict, result.self_check) {
        (Verdict::Fail, true) => "the planted regression was detected, as expected",
        (Verdict::Pass, true) => "the planted regression was not detected",
        (Verdict::Pass, false) if result.expectations.is_empty() => {
            "nothing was expected of this run"
        }
        (Verdict::Pass, false) => "every expectation holds",
        (Verdict::Fail, false) if !result.broken.is_empty() => "a contender does not work",
        (Verdict::Fail, false) => "an expectation fails",
        (Verdict::Inconclusive, _) => "an expectation could not be decided",
        (Verdict::Invalid, _) => "a contender lacks valid rounds",
        (Verdict::Interrupted, _) => "stopped by a signal; what was finished is here",
    };
    format!("{text} (exit code {code})")
}

fn alarm(result: &RunResult) -> Option<&'static str> {
    if result.verdict == Verdict::Invalid {
        Some("INVALID: a contender lacks valid rounds, so nothing is concluded from this run.")
    } else if races(result).iter().any(untrustworthy) {
        Some("NOT TRUSTWORTHY: the load generator itself was too late.")
    } else if result.verdict == Verdict::Interrupted {
        Some("INTERRUPTED: this is what had finished.")
    } else if result.fingerprint.debug_build {
        Some("A debug build: these figures say nothing about a release build.")
    } else {
        None
    }
}

/// Charts that a pull request shows; the others lie beside them.
const IN_SUMMARY: [ChartKind; 5] =
    [ChartKind::Load, ChartKind::Map, ChartKind::Hdr, ChartKind::Forest, ChartKind::Stall];

/// What a chart is of: the finding is its own title.
fn heading(picture: &Picture<'_>) -> &'static str {
    match picture.kind {
        ChartKind::Load => "Response time by load",
        ChartKind::Hdr => "Response time by percentile",
        ChartKind::Map => "Decision map",
        ChartKind::Forest => "Every metric of two contenders",
        ChartKind::Stall => "Before, during and after a fault or burst",
        ChartKind::Cpu => "CPU per request",
        ChartKind::Memory => "Memory",
        ChartKind::Lag => "Self-check: the generator's own lateness",
        ChartKind::Time => "Where the time goes",
        ChartKind::Gate => "Gate history",
        ChartKind::Flame => "Where the CPU goes",
        ChartKind::Layers => "Where the CPU goes, by layer",
        ChartKind::FlameDiff => "Where the CPU goes, the difference of two",
    }
}

/// What the run says about itself.
fn checks(result: &RunResult) -> Vec<[String; 2]> {
    let trials: Vec<&Trial> = measured(result).iter().filter(|trial| !trial.voided).collect();
    let row = |check: &str, found: String| [check.to_owned(), found];
    if trials.is_empty() {
        let what = "no trial stands alone; those of a map's cells are in trials.jsonl";
        return vec![row("Trials", what.into())];
    }
    let audits = |verdict| trials.iter().filter(|t| t.audit.verdict == verdict).count();
    let busy = trials.iter().map(|trial| trial.generator.cpu_share).fold(0.0, f64::max);
    let steal = trials.iter().filter_map(|t| t.validity.steal_share).fold(0.0, f64::max);
    let audited = trials.iter().any(|trial| trial.audit.verdict != AuditVerdict::Unavailable);
    let audit = match audited {
        true => format!(
            "{} balanced, {} unbalanced, {} unavailable",
            audits(AuditVerdict::Balanced),
            audits(AuditVerdict::Unbalanced),
            audits(AuditVerdict::Unavailable)
        ),
        false => "none: this service has no /audit".into(),
    };
    vec![
        row("Generator lateness", lateness(result, &trials)),
        row("Generator busy", format!("at most {} of its cores", percent(busy, 1))),
        row("Audit", audit),
        row("Failures", failures(&trials)),
        row("Steal", format!("at most {}", percent(steal, 2))),
    ]
}

/// `p99 at most 20 us in any trial; at most 3 % of a p99; a round is void over 100 us`
fn lateness(result: &RunResult, trials: &[&Trial]) -> String {
    let kinds = || trials.iter().flat_map(|trial| trial.by_request.values());
    let lag = kinds().filter_map(|kind| kind.generator_lag_ns.as_ref()?.p99).max();
    let lag = lag.map_or_else(
        || "not kept".to_owned(),
        |ns| format!("p99 at most {} in any trial", Nanos(ns)),
    );
    let shares = trials.iter().filter_map(|t| t.validity.our_share.get("p99")).copied();
    let share = shares.max_by(f64::total_cmp);
    let share = share.map(|share| format!("at most {} of a p99", percent(share, 1)));
    let limits: BTreeSet<u64> = result.lag_limits_ns.values().copied().collect();
    let limits: Vec<String> = limits.into_iter().map(|ns| Nanos(ns).to_string()).collect();
    let limits =
        (!limits.is_empty()).then(|| format!("a round is void over {}", limits.join(" or ")));
    [Some(lag), share, limits].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// How many requests failed, of all contenders.
fn failures(trials: &[&Trial]) -> String {
    let failed: u64 = trials.iter().flat_map(|trial| trial.errors.values()).sum();
    let requests: u64 = trials.iter().map(|trial| trial.requests).sum();
    let ranked = if failed > 0 { "; they rank above every time" } else { "" };
    format!("{} of {} requests{ranked}", grouped(failed as f64), grouped(requests as f64))
}

/// The result as JSON, and what was left out of it.
fn raw(result: &RunResult) -> (String, &'static str) {
    let mut slim = result.clone();
    for trial in slim.trials.iter_mut().chain(&mut slim.probes) {
        drop_all_but_response_times(trial);
    }
    let json = crate::record::json::on_one_line(&slim);
    if json.len() <= RAW_MAX_BYTES {
        let note = "result.json of this run, with the histograms of response times; the others are in the file itself.";
        return (json, note);
    }
    for trial in slim.trials.iter_mut().chain(&mut slim.probes) {
        trial.timeline = None;
        drop_histograms(trial);
    }
    let json = crate::record::json::on_one_line(&slim);
    if json.len() <= RAW_MAX_BYTES {
        let note = "result.json of this run without its histograms, which are in the file itself, beside this page.";
        return (json, note);
    }
    slim.trials.clear();
    slim.probes.clear();
    let note = "result.json of this run without its trials, which are in the file itself, beside this page.";
    (crate::record::json::on_one_line(&slim), note)
}

/// The tour's page stays below 700 KB.
const RAW_MAX_BYTES: usize = 300_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::record::Resource;

    fn shown(result: &RunResult, verbose: bool) -> String {
        let files = Path::new("reports/tour/2026-11-24T04-09-53Z");
        anstream::adapter::strip_str(&text(result, Some(files), verbose)).to_string()
    }

    fn expect_narrow(text: &str) {
        let long = text.lines().find(|line| line.chars().count() > 80);
        assert_eq!(long, None, "{text}");
    }

    #[test]
    fn nothing_that_was_measured_is_no_pass() {
        let mut nothing = mock::empty("tour", "Two services");
        assert_eq!(nothing.verdict, Verdict::Pass);
        for verbose in [false, true] {
            let text = shown(&nothing, verbose);
            assert!(text.contains("No trial was finished") && !text.contains("PASS"), "{text}");
        }
        nothing.verdict = Verdict::Interrupted;
        assert!(shown(&nothing, false).contains("INTERRUPTED"), "what it says is kept");
    }

    /// A tour of four races, as crowded as one may be.
    fn tour() -> RunResult {
        let mut tour = mock::empty("tour", "Two services, four concurrency models");
        let races = [
            ("payment", "1,500/s"),
            ("payment", "4,000/s"),
            ("payment", "750/s"),
            ("loyalty", "50%"),
        ];
        for (place, (workload, level)) in races.into_iter().enumerate() {
            let models = if place % 2 == 0 { &mock::MODELS[..] } else { &mock::MODELS[..2] };
            mock::add_race(&mut tour, workload, level, 1_500.0, &[(workload, 5_200)], 9, models);
        }
        for trial in tour.trials.iter_mut().filter(|trial| trial.level == "1,500/s") {
            trial.dependency = Some("a stand-in (lookup 1ms, write 1ms)".into());
        }
        // Another metric in memory, as in the tour: then nothing is said of both together.
        let memory = |c: &&mut crate::record::Comparison| matches!(&*c.at, "750/s" | "4,000/s");
        for c in tour.comparisons.iter_mut().filter(memory).filter(|c| c.metric == "p99") {
            c.metric = "p50".into();
        }
        tour
    }

    #[test]
    fn a_tour_ends_on_one_screen() {
        let mut tour = tour();
        let text = shown(&tour, false);
        insta::assert_snapshot!(text);
        assert!(text.lines().count() <= 24, "{}", text.lines().count());
        expect_narrow(&text);
        tour.verdict = Verdict::Interrupted;
        assert!(shown(&tour, false).starts_with("The run was interrupted"));
        tour.verdict = Verdict::Invalid;
        assert!(shown(&tour, false).starts_with("This run is INVALID"));
    }

    #[test]
    fn a_run_ends_with_its_answer_and_not_with_its_reasons() {
        let mut result = mock::payments(6, &mock::MODELS);
        let said = shown(&result, false);
        insta::assert_snapshot!(said);
        expect_narrow(&said);
        result.words = vec!["x".into(), "--smoke".into()];
        assert!(shown(&result, false).starts_with("SMOKE: everything works"));
        result.broken = vec!["`mine` failed all 40 requests (404)".into()];
        let said = shown(&result, false);
        assert!(said.starts_with("SMOKE: it does not work.\n`mine` failed all 40"), "{said}");
    }

    #[test]
    fn every_section_fits_a_terminal_and_breaks_no_figure() {
        let mut result = mock::payments(6, &mock::MODELS);
        result.ceilings.push(crate::record::Ceiling {
            workload: "payment".into(),
            contender: "event-loop".into(),
            closed_rps: Some(21_300.0),
            binds: Resource::Cpu,
            ..crate::record::Ceiling::default()
        });
        insta::assert_snapshot!(shown(&result, true));
        let mut full = mock::everything_of(&mock::MODELS);
        full.footprints = mock::MODELS.map(|(name, ..)| mock::footprint(name)).to_vec();
        let full = shown(&full, true);
        expect_narrow(&full);
        let joined = full.split_whitespace().collect::<Vec<_>>().join(" ");
        for whole in ["thread-per-connection 1.1 ", " libraries ", " 12.2 "] {
            assert!(joined.contains(whole), "{whole}: {full}");
        }
    }

    #[test]
    fn the_page_of_a_tour_is_below_700_kilobytes_and_asks_nobody() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/reports/reference/tour/result.json");
        let tour = crate::record::from_json(&std::fs::read_to_string(path).unwrap()).unwrap();
        let page = html(&tour);
        assert!((100_000..700_000).contains(&page.len()), "{}", page.len());
        for address in ["src=\"http", "href=\"http", "url(http", "@import"] {
            assert!(!page.contains(address), "{address}");
        }
    }

    #[test]
    fn everything_that_a_reader_needs_is_on_the_page() {
        let mut run = mock::everything();
        run.title = "<img src=x onerror=alert(1)></title></script>".into();
        let page = html(&run);
        for id in ["figures-and-comparisons", "charts", "self-checks", "raw-data"] {
            assert!(page.contains(&format!("<details id=\"{id}\">")), "{id}");
        }
        assert!(page.contains("--order-seed 7301"), "seeds");
        assert_eq!(page.matches("<svg").count(), pictures(&run).len());
        let data = page.split("id=\"result\">").nth(1).unwrap().split("</script>").next().unwrap();
        assert_eq!(crate::record::from_json(data).unwrap().title, run.title);
        assert!(!page.contains("class=\"alarm\""));
        run.verdict = Verdict::Invalid;
        assert!(html(&run).contains("class=\"alarm\""));
    }
}
