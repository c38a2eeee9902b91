//! What comes before a window, from what a scenario says and what is known.

use super::*;
use crate::scenario::{Kind, Metric, Statement, builtin, parse};

/// Two models and, by a command, `node`, at the levels that are given.
fn scenario(rates: &str, load: &str) -> Scenario {
    let text = format!(
        "schema = 1\nname = \"a\"\ntitle = \"A\"\nworkload = \"http\"\n\
         experiment = {{ compare = {{ rates = {rates} }} }}\n\
         [[route]]\nname = \"get\"\npath = \"/\"\n\
         [contender.model]\nmodel = \"event-loop\"\n[contender.node]\ncommand = [\"node\", \"{{port}}\"]\n\
         [load.open]\nconnections = 64\n{load}\n"
    );
    parse("a.toml", &text).unwrap()
}

fn spec_of<'a>(scenario: &'a Scenario, contender: usize, rate: Option<f64>) -> TrialSpec<'a> {
    TrialSpec {
        scenario,
        contender: &scenario.contenders[contender],
        rate: rate.map(Rate),
        level: String::new(),
        duration: Nanos::SECOND,
        round: 1,
        place: 0,
    }
}

fn pilot(warm_after: Option<u64>, warm_up_requests: u64) -> Pilot {
    Pilot {
        scenario: "a".into(),
        contender: "node".into(),
        rate_rps: Some(1_500.0),
        answered: 20_000,
        warm_after,
        warm_up_requests,
        ..Pilot::default()
    }
}

fn requests(warming: &Warming) -> (u64, Option<f64>) {
    let Before::Led(First { amount: Amount::Requests(requests, _), rate }) = warming.before else {
        panic!("{warming:?}")
    };
    (requests, rate.map(|rate| rate.0))
}

#[test]
fn a_model_has_a_constant_and_a_foreign_server_what_its_pilot_found() {
    let scenario = scenario("[\"500/s\"]", "");
    let warmth = Warmth::with(vec![pilot(Some(3_000), 4_500)]);
    let model = warmth.before(&spec_of(&scenario, 0, Some(500.0)));
    assert_eq!((requests(&model), model.doubt), ((1_000, Some(500.0)), None));
    let node = warmth.before(&spec_of(&scenario, 1, Some(500.0)));
    assert_eq!(requests(&node), (4_500, Some(1_500.0)), "as fast as its pilot");
    assert_eq!(node.doubt, None);
    // A faster level is not slowed down.
    assert_eq!(requests(&warmth.before(&spec_of(&scenario, 1, Some(1_800.0)))).1, Some(1_800.0));
}

#[test]
fn a_warm_up_is_as_fast_as_the_ceiling_allows() {
    let scenario = scenario("[\"500/s\"]", "");
    let mut warmth = Warmth::default();
    let mut probe = crate::judge::mock::payments(1, &[("node", 100.0, 1.0)]).trials.remove(0);
    (probe.scenario, probe.achieved_rps) = ("a".into(), 4_000.0);
    (probe.load.kind, probe.round) = ("closed".into(), 0);
    warmth.saw(&probe);
    let due = warmth.due(&spec_of(&scenario, 0, Some(500.0)));
    assert_eq!(due.len(), 1, "the model has none");
    assert_eq!((due[0].0.name.as_str(), due[0].1), ("node", Some(Rate(2_400.0))));
    let mut warmth = Warmth::with(vec![pilot(Some(3_000), 4_500)]);
    warmth.saw(&probe);
    assert_eq!(requests(&warmth.before(&spec_of(&scenario, 1, Some(500.0)))).1, Some(2_400.0));
    probe.achieved_rps = 50.0;
    let mut slow = Warmth::default();
    slow.saw(&probe);
    let node = spec_of(&scenario, 1, Some(40.0));
    assert!(slow.due(&node).is_empty(), "60 % of its ceiling are too few for a pilot");
    let before = slow.before(&node).before;
    assert!(matches!(before, Before::Led(First { amount: Amount::Time(PILOT_TIME), .. })));
}

#[test]
fn a_ceiling_comes_before_its_pilot_and_a_pilot_comes_once() {
    let scenario = scenario("[\"500/s\", \"900/s\"]", "");
    let mut warmth = Warmth::default();
    assert!(warmth.due(&spec_of(&scenario, 1, None)).is_empty(), "the probe of a ceiling");
    assert_eq!(requests(&warmth.before(&spec_of(&scenario, 1, None))), (20_000, None));
    let due = warmth.due(&spec_of(&scenario, 1, Some(500.0)));
    assert_eq!(due[0].1, Some(Rate(900.0)), "at the fastest level");
    warmth = Warmth::with(vec![pilot(Some(0), 1_000)]);
    assert!(warmth.due(&spec_of(&scenario, 1, Some(500.0))).is_empty());
}

#[test]
fn what_was_not_steady_is_doubted_with_what_to_write() {
    let scenario = scenario("[\"500/s\"]", "");
    let warmth = Warmth::with(vec![pilot(None, 30_000)]);
    let node = warmth.before(&spec_of(&scenario, 1, Some(500.0)));
    assert_eq!(requests(&node).0, 30_000);
    let doubt = node.doubt.unwrap();
    assert!(
        doubt.contains("not steady") && doubt.contains("warm_up = \"60000 requests\""),
        "{doubt}"
    );
    assert_eq!(
        warmth.before(&spec_of(&scenario, 0, Some(500.0))).doubt,
        None,
        "it is not the model's"
    );
    let failed = Pilot { failure: Some("it crashed".into()), ..pilot(None, 1_000) };
    let warmth = Warmth::with(vec![failed]);
    let doubt = warmth.before(&spec_of(&scenario, 1, Some(500.0))).doubt.unwrap();
    assert!(doubt.contains("it crashed"), "{doubt}");
}

#[test]
fn below_33_a_second_a_warm_up_is_a_minute_and_said() {
    let scenario = scenario("[\"20/s\"]", "");
    let mut warmth = Warmth::default();
    let node = spec_of(&scenario, 1, Some(20.0));
    assert!(warmth.due(&node).is_empty(), "a pilot would say nothing");
    let minute = Amount::Time(Nanos(60_000_000_000));
    let expected = Before::Led(First { amount: minute, rate: Some(Rate(20.0)) });
    let warming = warmth.before(&node);
    assert_eq!(warming.before, expected);
    warmth.does(&warming);
    warmth.does(&warming);
    assert_eq!(warmth.notes().len(), 1, "said once");
    assert!(warmth.notes()[0].contains("below 33/s"), "{:?}", warmth.notes());
    assert_eq!(requests(&warmth.before(&spec_of(&scenario, 0, Some(20.0)))).0, 1_000);
}

#[test]
fn what_the_scenario_says_needs_no_pilot() {
    for (load, expected) in [
        ("warm_up = \"none\"", Before::Through(Nanos(0))),
        (
            "warm_up = \"2s\"",
            Before::Led(First { amount: Amount::Time(Nanos(2_000_000_000)), rate: None }),
        ),
    ] {
        let scenario = scenario("[\"500/s\"]", load);
        let warmth = Warmth::default();
        let node = spec_of(&scenario, 1, Some(500.0));
        assert!(warmth.due(&node).is_empty() && scenario.piloted().next().is_none());
        assert_eq!(warmth.before(&node), Warming { before: expected, doubt: None, note: None });
    }
    let own = scenario("[\"500/s\"]", "warm_up = \"7 requests\"");
    assert_eq!(requests(&Warmth::default().before(&spec_of(&own, 1, Some(500.0)))), (7, None));
}

#[test]
fn where_memory_is_compared_all_have_equal_warm_ups_at_the_level() {
    let mut scenario = scenario("[\"500/s\"]", "");
    let of_p50 = builtin("canary").unwrap().expectations.remove(0);
    scenario.claims.push(Statement { metric: Metric::Rss, ..of_p50 });
    let warmth = Warmth::with(vec![pilot(Some(3_000), 4_500)]);
    for contender in [0, 1] {
        let before = warmth.before(&spec_of(&scenario, contender, Some(500.0)));
        assert_eq!(requests(&before), (4_500, Some(500.0)));
    }
}

#[test]
fn a_contender_by_url_has_a_pilot_and_a_model_of_another_build_has_none() {
    let scenario = scenario("[\"500/s\"]", "");
    let names: Vec<&str> = scenario.piloted().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["node"]);
    assert!(matches!(scenario.contenders[1].kind, Kind::Command { .. }));
}
