//! `index.html`: the whole report in one file that makes no network requests and can be read without scripts.

use std::collections::BTreeSet;

use askama::Template;

use super::charts::{Kind, Palette, Picture, both, page_style, pictures, untrustworthy};
use super::findings::{Findings, Judged};
use super::reproduce::{command, note};
use super::table::{COLUMNS, TABLE_NOTE};
use crate::judge::races::{measured, races};
use crate::record::trial::{drop_all_but_response_times, drop_histograms};
use crate::record::{RunResult, Trial, TrialVerdict, Verdict};
use crate::text::counted;
use crate::units::{Nanos, grouped, three_digits};

pub fn html(result: &RunResult) -> String {
    html_with(result, &pictures(result))
}

/// The same where its pictures are at hand.
pub(super) fn html_with(result: &RunResult, pictures: &[Picture<'_>]) -> String {
    let mut findings = Findings::of(result);
    let mut palette = Palette::default();
    let mut charts: Vec<Chart> =
        pictures.iter().map(|picture| Chart::of(picture, &mut palette)).collect();
    let lead = (!charts.is_empty()).then(|| charts.remove(0));
    let (raw, raw_note) = raw(result);
    let statements = [
        Group { heading: "Expectations", judged: std::mem::take(&mut findings.expectations) },
        Group {
            heading: "Claims (they do not change the exit code)",
            judged: std::mem::take(&mut findings.claims),
        },
    ];
    let page = Page {
        version: env!("CARGO_PKG_VERSION"),
        style: style(&palette),
        alarm: alarm(result),
        verdict_class: match result.verdict {
            Verdict::Pass => "good",
            Verdict::Fail | Verdict::Invalid => "bad",
            Verdict::Inconclusive | Verdict::Interrupted => "open",
        },
        findings,
        statements,
        lead,
        columns: COLUMNS,
        table_note: TABLE_NOTE,
        charts,
        checks: checks(result),
        command: command(result),
        reproduce_note: note(result),
        raw,
        raw_note,
    };
    page.render().expect("the template is part of the binary and writes into a string")
}

#[derive(Template)]
#[template(path = "index.html")]
struct Page {
    version: &'static str,
    style: String,
    /// What a bar across the page warns of.
    alarm: Option<&'static str>,
    verdict_class: &'static str,
    findings: Findings,
    statements: [Group; 2],
    lead: Option<Chart>,
    columns: [&'static str; COLUMNS.len()],
    table_note: &'static str,
    charts: Vec<Chart>,
    checks: Vec<(&'static str, String)>,
    command: String,
    reproduce_note: String,
    raw: String,
    raw_note: &'static str,
}

struct Group {
    heading: &'static str,
    judged: Vec<Judged>,
}

struct Chart {
    title: String,
    alt: String,
    svg: String,
}

impl Chart {
    fn of(picture: &Picture<'_>, palette: &mut Palette) -> Self {
        let svg = both(picture, palette);
        Self { title: heading(picture), alt: picture.alt.clone(), svg }
    }
}

/// What a chart is of: the finding is its own title.
fn heading(picture: &Picture<'_>) -> String {
    let what = match picture.kind {
        Kind::Load => "Latency against load",
        Kind::Hdr => "Response time by percentile",
        Kind::Map => "Decision map",
        Kind::Forest => "Every metric of two contenders",
        Kind::Stall => "Before, in and after a fault",
        Kind::Cpu => "CPU per request",
        Kind::Memory => "Memory",
        Kind::Lag => "Self-check: the generator's own lateness",
        Kind::Time => "Where the time goes",
        Kind::Gate => "Gate history",
    };
    what.to_owned()
}

fn style(palette: &Palette) -> String {
    let (light, dark) = (LIGHT.to_owned() + &palette.light(), DARK.to_owned() + &palette.dark());
    // Only a screen is ever dark: paper has the light theme whatever the reader chose.
    format!(
        ":root{{color-scheme:light;{light}}}\
         @media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\
         @media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}\n{}{}",
        include_str!("../../templates/page.css"),
        page_style()
    )
}

/// Both themes without the colours of charts, and the shape of a page.
pub(super) fn page_colours() -> String {
    format!(
        ":root{{color-scheme:light;{LIGHT}}}\
         @media screen and (prefers-color-scheme:dark){{:root{{color-scheme:dark;{DARK}}}}}\n{}",
        include_str!("../../templates/page.css")
    )
}

const LIGHT: &str = "--page:#FFFFFF;--ink:#14181F;--muted:#5B6470;--line:#E3E7EC;--good:#0B6B3A;--bad:#B00020;--open:#8A5300;";
const DARK: &str = "--page:#10141A;--ink:#E8ECF1;--muted:#9AA4B2;--line:#262D37;--good:#5FD38D;--bad:#FF6B6B;--open:#F0B94D;";

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

/// What the run says about itself.
fn checks(result: &RunResult) -> Vec<(&'static str, String)> {
    let trials: Vec<&Trial> = measured(result).iter().filter(|trial| !trial.voided).collect();
    if trials.is_empty() {
        let what = "no trial stands alone; those of a map's cells are in trials.jsonl";
        return vec![
            ("Validity", what.into()),
            ("Voided rounds", result.voided_rounds.to_string()),
        ];
    }
    let of = |verdict| trials.iter().filter(|t| t.validity.verdict == verdict).count();
    let audits = |verdict: &str| trials.iter().filter(|t| t.audit.verdict == verdict).count();
    let kinds = || trials.iter().flat_map(|trial| trial.by_request.values());
    let lag = kinds().filter_map(|kind| kind.generator_lag_ns.as_ref()?.p99).max();
    let share = trials.iter().filter_map(|t| t.validity.our_share.get("p99")).copied();
    let share = share.fold(None, |most: Option<f64>, s| Some(most.map_or(s, |m| m.max(s))));
    let busy = trials.iter().map(|trial| trial.generator.cpu_share).fold(0.0, f64::max);
    let steal = trials.iter().filter_map(|t| t.validity.steal_share).fold(0.0, f64::max);
    let percent = |share: f64| format!("{} %", three_digits(share * 100.0));
    let mut lateness = lag.map_or_else(
        || "not kept".to_owned(),
        |ns| format!("p99 at most {} in any trial", Nanos(ns)),
    );
    if let Some(share) = share {
        lateness += &format!("; at most {} of a p99", percent(share));
    }
    let limits: BTreeSet<u64> = result.lag_limits_ns.values().copied().collect();
    if !limits.is_empty() {
        let limits: Vec<String> = limits.into_iter().map(|ns| Nanos(ns).to_string()).collect();
        lateness += &format!("; a round is void over {}", limits.join(" or "));
    }
    vec![
        (
            "Validity",
            format!(
                "{}: {} VALID, {} SUSPECT, {} INVALID",
                counted(trials.len(), "trial"),
                of(TrialVerdict::Valid),
                of(TrialVerdict::Suspect),
                of(TrialVerdict::Invalid)
            ),
        ),
        ("Generator lateness", lateness),
        ("Generator busy", format!("at most {} of its cores", percent(busy))),
        (
            "Audit",
            match trials.iter().any(|trial| trial.audit.verdict != "unavailable") {
                true => format!(
                    "{} balanced, {} unbalanced, {} unavailable",
                    audits("balanced"),
                    audits("unbalanced"),
                    audits("unavailable")
                ),
                false => "none: this service keeps no books that could be read".into(),
            },
        ),
        ("Failures", failures(&trials)),
        ("Voided rounds", result.voided_rounds.to_string()),
        ("Steal", format!("at most {}", percent(steal))),
    ]
}

/// How many requests failed, of all contenders.
fn failures(trials: &[&Trial]) -> String {
    let failed: u64 = trials.iter().flat_map(|trial| trial.errors.values()).sum();
    let requests: u64 = trials.iter().map(|trial| trial.requests).sum();
    let [failed_text, requests] = [failed, requests].map(|n| grouped(n as f64));
    let ranked = if failed > 0 { "; they rank above every time" } else { "" };
    format!("{failed_text} of {requests} requests{ranked}")
}

/// The result as JSON that may stand inside a script element, and what was left out of it.
fn raw(result: &RunResult) -> (String, &'static str) {
    let mut slim = result.clone();
    for trial in slim.trials.iter_mut().chain(&mut slim.probes) {
        drop_all_but_response_times(trial);
    }
    let json = crate::record::to_compact_json(&slim);
    let (json, note) = if json.len() <= RAW_MAX_BYTES {
        (
            json,
            "result.json of this run, with the histograms of response times; the others are in the file itself.",
        )
    } else {
        for trial in slim.trials.iter_mut().chain(&mut slim.probes) {
            trial.timeline = None;
            drop_histograms(trial);
        }
        (
            crate::record::to_compact_json(&slim),
            "result.json of this run without its histograms, which are in the file itself, beside this page.",
        )
    };
    // No element can be closed or opened from inside a string.
    (json.replace('<', "\\u003c"), note)
}

/// With histograms, the tour's page stays below 800 KB.
const RAW_MAX_BYTES: usize = 350_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    #[test]
    fn hostile_text_cannot_leave_its_place() {
        let enemy =
            [("</script><script>alert(1)</script>", 96.0, 1.0), ("\"><img src=x>", 97.0, 1.4)];
        let mut run = mock::payments(6, &enemy);
        run.title = "<img src=x onerror=alert(1)></title></script>".into();
        run.notes.push("<!-- <script>alert(2)</script> -->".into());
        let page = html(&run);
        assert_eq!(page.matches("<script").count(), 2, "the data and our own");
        assert_eq!(page.matches("</script").count(), 2);
        assert!(!page.contains("<img") && !page.contains("<!--"));
        let data = page.split("id=\"result\">").nth(1).unwrap().split("</script>").next().unwrap();
        let read = crate::record::from_json(data).unwrap();
        assert_eq!(read.title, run.title);
    }

    #[test]
    fn the_page_makes_no_network_requests() {
        let page = html(&mock::everything());
        assert!(page.contains("default-src 'none'"));
        for address in ["src=\"http", "href=\"http", "url(http", "@import"] {
            assert!(!page.contains(address), "{address}");
        }
    }

    #[test]
    fn the_page_of_a_tour_is_below_800_kilobytes() {
        let mut tour = mock::empty("tour", "Two services, four concurrency models");
        tour.rounds = 6;
        for (workload, level, rps) in [
            ("payment", "4,000/s", 4_000.0),
            ("payment", "1,500/s", 1_500.0),
            ("payment", "800/s", 800.0),
            ("loyalty", "1,500/s", 1_500.0),
        ] {
            let kinds = [(workload, 5_200)];
            mock::add_race(&mut tour, workload, level, rps, &kinds, 6, &mock::MODELS);
        }
        let bytes = html(&tour).len();
        assert!((100_000..800_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn an_invalid_run_has_a_bar() {
        let mut run = mock::everything();
        assert!(!html(&run).contains("class=\"alarm\""));
        run.verdict = Verdict::Invalid;
        assert!(html(&run).contains("class=\"alarm\""));
    }

    #[test]
    fn everything_that_a_reader_needs_is_there() {
        let run = mock::everything();
        let page = html(&run);
        for id in
            ["finding", "lead", "figures", "charts", "checks", "environment", "reproduce", "raw"]
        {
            assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
        }
        assert!(page.contains("--order-seed 7301"), "seeds");
        assert_eq!(page.matches("<svg").count(), pictures(&run).len());
    }
}
