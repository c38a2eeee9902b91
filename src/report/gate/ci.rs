//! What a CI system reads: the workflow commands and step outputs of GitHub, and a test report (JUnit).

use crate::judge::gate::failures::ERRORS;
use crate::judge::gate::sentences::{clean_name, lost, word};
use crate::record::gate::{
    FailureJudgement, GateResult, MetricJudgement, OnInconclusive, Outcome, Verdict,
};
use crate::report::why::grown_sentence;
use crate::text::{is_shown, one_line, xml};
use std::fmt::Write;

/// One command for the gate, one for each metric that did not pass, and one where requests failed.
pub(crate) fn annotations(result: &GateResult) -> String {
    let judgement = &result.judgement;
    let fails = judgement.exit_code != 0;
    let level = match judgement.verdict {
        _ if fails => "error",
        Verdict::Pass if judgement.metrics.iter().all(|metric| metric.not_gated.is_none()) => {
            "notice"
        }
        _ => "warning",
    };
    let mut out = command(level, "bakeoff gate", &judgement.line);
    for (metric, reason) in
        judgement.metrics.iter().filter_map(|metric| Some((metric, why(metric)?)))
    {
        let title = format!("bakeoff gate: {} {}", clean_name(metric), word(metric));
        out.push_str(&command(level_of(result, metric), &title, &reason));
    }
    if let Some(errors) = judgement.failures.as_ref().filter(|errors| errors.are_any()) {
        let fails = errors.outcome == Outcome::Regressed && result.plan.report_only.is_none();
        let title = format!("bakeoff gate: {ERRORS} {}", errors.outcome.word());
        let level = if fails { "error" } else { "warning" };
        out.push_str(&command(level, &title, &errors.sentence(judgement.rounds as usize)));
    }
    if let Some(why) = &result.why {
        let title = "bakeoff gate: the function that grew";
        out.push_str(&command("notice", title, &grown_sentence(why)));
    }
    let counted: Vec<_> = result.rounds.iter().filter(|round| round.void.is_none()).collect();
    for lost in lost(&counted) {
        out.push_str(&command("warning", "bakeoff gate: lost rounds", &lost));
    }
    out
}

/// `verdict=..`, `exit-code=..`, `summary=..`: lines for `$GITHUB_OUTPUT`.
pub(crate) fn outputs(result: &GateResult) -> String {
    let judgement = &result.judgement;
    let verdict = judgement.verdict.word().to_lowercase();
    let summary = crate::text::one_line(&judgement.line);
    format!("verdict={verdict}\nexit-code={}\nsummary={summary}\n", judgement.exit_code)
}

/// Why a metric did not pass; `None` when it did.
fn why(metric: &MetricJudgement) -> Option<String> {
    if let Some(why) = &metric.not_gated {
        return Some(why.clone());
    }
    let percent = |ratio: f64| crate::judge::gate::sensitivity::signed(ratio - 1.0);
    let look = metric.looks.last();
    let margin = crate::judge::gate::sensitivity::percent(metric.margin);
    match (metric.outcome, look.and_then(|look| look.ratio), look.and_then(|look| look.low)) {
        (Outcome::Pass, ..) => None,
        (Outcome::Regressed, Some(ratio), Some(low)) => {
            let (ratio, low) = (percent(ratio), percent(low));
            Some(format!("worse by {ratio}, at least {low}; the margin is {margin}"))
        }
        (Outcome::Regressed, ..) => {
            Some("worse than any figure: it did not sustain the load".into())
        }
        _ => Some(format!("the rounds do not say whether it is worse by the margin of {margin}")),
    }
}

fn level_of(result: &GateResult, metric: &MetricJudgement) -> &'static str {
    let strict = result.plan.on_inconclusive == OnInconclusive::Fail;
    let fails = match metric.outcome {
        _ if metric.not_gated.is_some() || result.plan.report_only.is_some() => false,
        Outcome::Regressed => true,
        Outcome::Inconclusive => strict,
        Outcome::Pass | Outcome::Open => false,
    };
    if fails { "error" } else { "warning" }
}

fn command(level: &str, title: &str, message: &str) -> String {
    let shown = |text: &str| text.replace(|c| !matches!(c, '\n' | '\r') && !is_shown(c), "");
    let (title, message) = (shown(title), shown(message));
    let message = message.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let title = title.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let title = title.replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title={title}::{message}\n")
}

// A JUnit test report: one case for each metric, one for the failed requests and one for the gate, as the Jenkins and GitLab readers have it.

/// What is written into a case.
enum Mark {
    Failure(String),
    Error(String),
    Skipped(String),
    None,
}

/// The report as XML.
pub(crate) fn junit(result: &GateResult) -> String {
    let (about, judgement) = (&result.about, &result.judgement);
    let mut cases = vec![("gate".to_owned(), whole(result))];
    cases.extend(judgement.metrics.iter().map(|metric| (clean_name(metric), mark(result, metric))));
    let errors = judgement.failures.as_ref();
    cases.extend(errors.map(|errors| (ERRORS.to_owned(), of_failures(result, errors))));
    let count = |is: fn(&Mark) -> bool| cases.iter().filter(|(_, mark)| is(mark)).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        cases.len(),
        count(|mark| matches!(mark, Mark::Failure(_))),
        count(|mark| matches!(mark, Mark::Error(_))),
        count(|mark| matches!(mark, Mark::Skipped(_))),
    );
    let class = escaped(&format!("bakeoff.{}", about.scenario));
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  \
         <testsuite name=\"{class}\" {counts} timestamp=\"{}\">\n",
        escaped(&about.started_utc)
    );
    for (name, mark) in &cases {
        let _ = write!(out, "    <testcase classname=\"{class}\" name=\"{}\"", escaped(name));
        out.push_str(&match mark {
            Mark::None => "/>\n".into(),
            Mark::Failure(why) => child("failure", why),
            Mark::Error(why) => child("error", why),
            Mark::Skipped(why) => child("skipped", why),
        });
    }
    let lines: Vec<String> = judgement.reasons.iter().map(|reason| escaped(reason)).collect();
    let _ = write!(
        out,
        "    <system-out>{}</system-out>\n  </testsuite>\n</testsuites>\n",
        lines.join("\n")
    );
    out
}

fn child(tag: &str, why: &str) -> String {
    format!("><{tag} message=\"{}\"/></testcase>\n", escaped(why))
}

fn whole(result: &GateResult) -> Mark {
    let line = result.judgement.line.clone();
    match (result.judgement.exit_code, result.judgement.verdict) {
        (0, Verdict::Pass) => Mark::None,
        (0, _) => Mark::Skipped(line),
        (5, _) | (_, Verdict::Interrupted) => Mark::Error(line),
        _ => Mark::Failure(line),
    }
}

fn mark(result: &GateResult, metric: &MetricJudgement) -> Mark {
    if let Some(why) = &metric.not_gated {
        return Mark::Skipped(format!("not gated: {why}"));
    }
    let line = || format!("{} {}", clean_name(metric), metric.outcome.word());
    let strict = result.plan.on_inconclusive == OnInconclusive::Fail;
    match metric.outcome {
        Outcome::Pass => Mark::None,
        _ if result.plan.report_only.is_some() => Mark::Skipped(line()),
        Outcome::Regressed => Mark::Failure(line()),
        Outcome::Inconclusive if strict => Mark::Failure(line()),
        Outcome::Inconclusive | Outcome::Open => Mark::Skipped(line()),
    }
}

/// What the rounds do not show is no failure of the gate, and is told.
fn of_failures(result: &GateResult, errors: &FailureJudgement) -> Mark {
    let line = format!("{}: {}", errors.change(), errors.outcome.word());
    match errors.outcome {
        Outcome::Pass => Mark::None,
        Outcome::Regressed if result.plan.report_only.is_none() => Mark::Failure(line),
        _ => Mark::Skipped(line),
    }
}

/// Text inside an element or a quoted attribute: XML has HTML's escapes.
fn escaped(text: &str) -> String {
    xml(&one_line(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::gate::tests::{passed, sample};
    use roxmltree::{Document, Node};

    /// A line as the runner reads it: level, title and message.
    fn parsed(line: &str) -> (String, String, String) {
        let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        let (level, title) = head.split_once(" title=").unwrap();
        assert!(!title.contains(':') && !title.contains(','), "{line}");
        let plain = |text: &str| {
            let text = text.replace("%3A", ":").replace("%2C", ",").replace("%0D", "\r");
            text.replace("%0A", "\n").replace("%25", "%")
        };
        (level.into(), plain(title), plain(message))
    }

    #[test]
    fn each_line_is_one_command_and_reads_back() {
        let result = sample();
        let text = annotations(&result);
        let lines: Vec<_> = text.lines().map(parsed).collect();
        assert_eq!((lines[0].0.as_str(), lines[0].1.as_str()), ("error", "bakeoff gate"));
        assert_eq!(lines[0].2, result.judgement.line);
        let regressed = lines.iter().find(|line| line.1.contains("cpu/request REGRESSED")).unwrap();
        assert!(
            regressed.0 == "error" && regressed.2.contains("the margin is 3 %"),
            "{regressed:?}"
        );
        let blind = lines.iter().find(|line| line.1.contains("p99 NOT GATED")).unwrap();
        assert!(blind.0 == "warning" && blind.2.contains("margin 10 %"), "{blind:?}");
    }

    #[test]
    fn a_pass_is_a_notice() {
        assert_eq!(annotations(&passed()), "::notice title=bakeoff gate::PASS (p50, throughput)\n");
        let expected = "verdict=pass\nexit-code=0\nsummary=PASS (p50, throughput)\n";
        assert_eq!(outputs(&passed()), expected);
    }

    #[test]
    fn lost_rounds_are_told() {
        use crate::judge::gate::tests::fault;
        let mut result = passed();
        result.rounds[0].candidate.faults.push(fault(crate::record::gate::FaultKind::Saturated));
        let told = annotations(&result);
        let line = "::warning title=bakeoff gate%3A lost rounds::The candidate alone did not sustain the load in 1 \
                    of 12 rounds (was saturated).";
        assert!(told.contains(line), "{told}");
    }

    #[test]
    fn the_function_that_grew_is_told() {
        let result = GateResult { why: Some(crate::judge::mock::why(8)), ..sample() };
        let told = annotations(&result);
        let line = "::notice title=bakeoff gate%3A the function that grew::futex_[k] takes 4 us (";
        assert!(told.contains(line), "{told}");
        assert_eq!(outputs(&result), outputs(&sample()));
    }

    #[test]
    fn text_cannot_break_out_of_its_line() {
        let line = command("error", "a:b,c", "100 %\r\n::error::x");
        assert_eq!(line, "::error title=a%3Ab%2Cc::100 %25%0D%0A::error::x\n");
        let outputs = outputs(&sample());
        assert_eq!(outputs.lines().count(), 3, "{outputs}");
    }

    fn cases<'a>(document: &'a Document<'_>) -> Vec<Node<'a, 'a>> {
        let suite = document.root_element().first_element_child().unwrap();
        suite.children().filter(|node| node.has_tag_name("testcase")).collect()
    }

    #[test]
    fn another_parser_reads_cases_and_counts() {
        let text = junit(&sample());
        let document = Document::parse(&text).unwrap();
        let cases = cases(&document);
        let marked = |tag: &str| {
            let has = |case: &&Node<'_, '_>| case.children().any(|child| child.has_tag_name(tag));
            cases.iter().filter(has).count()
        };
        for node in
            [document.root_element(), document.root_element().first_element_child().unwrap()]
        {
            let count = |name: &str| node.attribute(name).unwrap().parse::<usize>().unwrap();
            assert_eq!(count("tests"), 7);
            assert_eq!(count("failures"), marked("failure"));
            assert_eq!(count("errors"), marked("error"));
            assert_eq!(count("skipped"), marked("skipped"));
        }
        assert_eq!(marked("failure"), 2, "the gate and CPU per request: {text}");
        let names: Vec<_> = cases.iter().map(|case| case.attribute("name").unwrap()).collect();
        assert_eq!(names[..3], ["gate", "p99", "cpu/request"]);
        assert_eq!(names[3], "p50 of a|b <c> & \"d\"  ::error::e]]>", "read back as it was");
        let why = cases[1].first_element_child().unwrap().attribute("message").unwrap();
        assert!(why.starts_with("not gated: detects +"), "{why}");
    }

    #[test]
    fn a_pass_has_no_marks() {
        let text = junit(&passed());
        let document = Document::parse(&text).unwrap();
        assert!(cases(&document).iter().all(|case| case.first_element_child().is_none()));
    }
}
