//! A JUnit test report: one case for each metric, one for the failed requests and one for the gate, as the Jenkins and GitLab readers have it.

use std::fmt::Write;

use crate::judge::gate::failures::ERRORS;
use crate::judge::gate::sentences::clean_name;
use crate::record::gate::{
    FailureJudgement, GateResult, MetricJudgement, OnInconclusive, Outcome, Verdict,
};
use crate::text::{one_line, xml};

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
    use roxmltree::{Document, Node};

    use super::*;
    use crate::report::gate::sample_tests::{passed, sample};

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
        assert!(why.starts_with("not gated: sees +"), "{why}");
    }

    #[test]
    fn a_pass_has_no_marks() {
        let text = junit(&passed());
        let document = Document::parse(&text).unwrap();
        assert!(cases(&document).iter().all(|case| case.first_element_child().is_none()));
    }
}
