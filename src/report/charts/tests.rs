//! What must hold of every chart, in both themes and sizes, whatever the run.

use super::canvas::Fonts;
use super::canvas::Placed;
use super::text::is_drawn;
use super::theme::{LIGHT, THEMES};
use super::*;
use crate::judge::mock;
use crate::record::{Trial, TrialVerdict, Verdict};
use crate::stats::percentile::FAILED_NS;

/// Runs whose charts have something to get wrong: plain, broken, close together, many, and named by an enemy.
fn runs() -> Vec<RunResult> {
    let mut broken = mock::payments(6, &mock::MODELS);
    mock::saturate(&mut broken, "thread-pool");
    mock::mark(&mut broken, "work-stealing", TrialVerdict::Suspect, "steal");
    broken.verdict = Verdict::Invalid;
    broken.floor_ns = Some(51_000);
    let close = [("event-loop", 96.0, 1.0), ("threads-64", 97.0, 1.02)];
    let far = [("event-loop", 96.0, 1.0), ("threads-64", 9_700.0, 40.0)];
    let enemy = [("<script>alert(1)</script>", 96.0, 1.0), ("a&b\"' --> ]]>", 97.0, 1.4)];
    let many: Vec<String> = (0..12).map(|i| format!("a-contender-with-a-long-name-{i}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), 96.0, 1.1)).collect();
    let mut hostile = mock::everything_of(&enemy);
    hostile.title = "</script><img src=x onerror=alert(1)>".into();
    let mut invalid = mock::everything();
    invalid.verdict = Verdict::Invalid;
    vec![
        mock::payments(6, &mock::MODELS),
        mock::payments(3, &mock::MODELS),
        broken,
        mock::payments(6, &close),
        mock::payments(6, &far),
        mock::everything_of(&far),
        mock::payments(6, &many),
        mock::everything(),
        mock::everything_of(&mock::MODELS),
        hostile,
        invalid,
        searched(),
        profiled(),
        failing(),
    ]
}

/// A run with profiled rounds, of functions that an enemy has named.
fn profiled() -> RunResult {
    let mut run = mock::payments(6, &mock::MODELS);
    let mut why = mock::why(8);
    for flame in &mut why.flames {
        let deep = (0..60).map(|n| format!("<script>{n}</script>")).collect::<Vec<_>>().join(";");
        flame.stacks[0].frames += &format!(";{deep}");
    }
    run.why = Some(why);
    run
}

/// The run of every chart in which the last contender has no p99 at 2,000/s, for more than one in a hundred failed.
fn failing() -> RunResult {
    let mut run = mock::everything();
    let name = run.trials.last().expect("it has trials").contender.clone();
    for trial in run.trials.iter_mut().filter(|trial| trial.contender == name) {
        if trial.level == "2,000/s" {
            mock::fail(trial, 60);
            let windows = &mut trial.timeline.as_mut().expect("it was kept").windows;
            windows[25].p99_ns = Some(FAILED_NS);
        }
    }
    run
}

#[test]
fn what_failed_is_named_beside_every_percentile() {
    let run = failing();
    let all = pictures(&run);
    let words = |stem: &str| {
        let picture = all.iter().find(|picture| picture.stem == stem).expect(stem);
        let placed = picture.drawing(LIGHT, Size::Blog, Fonts::OfThePage).placed;
        let texts: Vec<&str> = placed.iter().map(|placed| placed.text.as_str()).collect();
        (texts.join(" "), picture.alt.clone())
    };
    for stem in ["hdr-payment-2000", "load-payment", "stall-payment-2000", "time-payment-2000"] {
        let (shown, _) = words(stem);
        assert!(shown.contains("failed and ranked last: thread-pool 600 of "), "{stem}: {shown}");
    }
    let (shown, alt) = words("load-payment");
    assert!(shown.contains("saturated or a failure, no value"), "{shown}");
    assert!(!alt.contains("thread-pool 400 us at 2,000/s") && alt.contains("; failed"), "{alt}");
    let (shown, alt) = words("hdr-payment-2000");
    assert!(alt.contains("p99 unbounded") && shown.contains("or the failures begin"), "{alt}");
    let (shown, _) = words("stall-payment-2000");
    assert!(shown.contains("on the top edge where it is a failure"), "{shown}");
    let (shown, _) = words("hdr-payment-1000");
    assert!(!shown.contains("fail"), "{shown}");
}

#[test]
fn a_bound_is_drawn_as_one_and_named() {
    let mut run = mock::everything();
    let name = run.trials.last().expect("it has trials").contender.clone();
    let own = |trial: &&mut Trial| trial.contender == name && trial.level == "2,000/s";
    run.trials.iter_mut().filter(own).for_each(|trial| mock::late(trial, 0.3));
    let all = pictures(&run);
    for (stem, told, all_trials) in
        [("hdr-payment-2000", "Dotted: an upper bound", 10), ("load-payment", "late: p99", 40)]
    {
        let picture = all.iter().find(|picture| picture.stem == stem).expect(stem);
        let placed = picture.drawing(LIGHT, Size::Blog, Fonts::OfThePage).placed;
        let shown = placed.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" ");
        assert!(shown.contains(told), "{stem}: {shown}");
        let bound = format!(
            "an upper bound where the generator was late: p99 of {name} in 10 of {all_trials} trials"
        );
        assert!(picture.alt.contains(&bound), "{}", picture.alt);
    }
    let hdr = all.iter().find(|picture| picture.stem == "hdr-payment-2000").expect("it is drawn");
    assert!(hdr.alt.contains(&format!("{name} p50 <= ")), "{}", hdr.alt);
}

#[test]
fn rates_behind_unlike_waits_are_no_curve() {
    let stems = |run: &RunResult| -> Vec<String> {
        pictures(run).iter().map(|picture| picture.stem.clone()).collect()
    };
    let mut run = mock::everything();
    assert!(stems(&run).iter().any(|stem| stem.starts_with("load-")));
    let level = run.trials[0].level.clone();
    for trial in run.trials.iter_mut().filter(|trial| trial.level == level) {
        trial.dependency = Some("a stand-in (lookup 50ms)".into());
    }
    let left = stems(&run);
    assert!(
        !left.iter().any(|stem| stem.starts_with("load-") || stem.starts_with("cpu-")),
        "{left:?}"
    );
    // Nor are two scenarios with other numbers of connections, whatever they have in common.
    let mut run = mock::everything();
    assert!(stems(&run).contains(&"memory-payment".to_owned()));
    for trial in &mut run.trials {
        trial.scenario = format!("one at {}", trial.level);
    }
    assert!(!stems(&run).iter().any(|stem| stem.starts_with("memory-")));
}

#[test]
fn a_level_that_saturates_everyone_changes_no_number_of_connections() {
    let mut run = mock::everything();
    for trial in &mut run.trials {
        trial.load.connections = 64;
        trial.saturated = trial.level == "6,000/s";
    }
    let stems: Vec<String> = pictures(&run).iter().map(|picture| picture.stem.clone()).collect();
    assert!(!stems.contains(&"memory-payment".to_owned()), "{stems:?}");
}

#[test]
fn no_text_is_clipped_or_lies_on_another_or_is_tiny() {
    let mut faults: Vec<String> = Vec::new();
    for (index, run) in runs().iter().enumerate() {
        for picture in pictures(run) {
            for size in Size::ALL {
                let placed = picture.drawing(LIGHT, size, Fonts::OfThePage).placed;
                let name = format!("run {index}, {} {size:?}", picture.stem);
                assert!(placed.len() > 6, "{name}: a chart without labels");
                let found = misplaced(&placed, size);
                faults.extend(found.into_iter().map(|fault| format!("{name}: {fault}")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is wrong with the places of texts.
fn misplaced(placed: &[Placed], size: Size) -> Vec<String> {
    let mut faults = Vec::new();
    for (i, a) in placed.iter().enumerate() {
        let inside =
            a.left >= 0.0 && a.top >= 0.0 && a.right <= size.width() && a.bottom <= size.height();
        if !inside {
            faults.push(format!("clipped: {a:?}"));
        }
        if !is_drawn(&a.text) {
            faults.push(format!("without a glyph: {a:?}"));
        }
        if a.px < 11.5 {
            faults.push(format!("tiny: {a:?}"));
        }
        for b in &placed[i + 1..] {
            let apart =
                a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
            if !apart {
                faults.push(format!("{a:?} lies on {b:?}"));
            }
        }
    }
    faults
}

#[test]
fn every_kind_is_drawn_where_its_data_exist_and_only_there() {
    let full = mock::everything();
    for kind in ChartKind::ALL {
        assert!(!pictures_of(&full, kind, None).is_empty(), "{}", kind.name());
    }
    let plain = mock::payments(6, &mock::MODELS);
    let kinds: Vec<ChartKind> = pictures(&plain).iter().map(|picture| picture.kind).collect();
    assert_eq!(kinds, [ChartKind::Hdr, ChartKind::Forest, ChartKind::Time]);
    assert!(pictures(&mock::empty("tour", "Nothing")).is_empty());
}

/// The run of every chart as one that searched only: its trials found the capacities, and there are no rounds.
fn searched() -> RunResult {
    let mut run = mock::everything();
    run.probes = std::mem::take(&mut run.trials);
    run.probes.iter_mut().for_each(crate::record::trial::drop_all_but_response_times);
    run.comparisons.retain(|c| c.metric == "capacity");
    (run.map, run.gate_history) = (None, Vec::new());
    run
}

#[test]
fn a_search_for_the_capacity_leads_with_its_rates() {
    let run = searched();
    let all = pictures(&run);
    let kinds: Vec<ChartKind> = all.iter().map(|picture| picture.kind).collect();
    assert_eq!(kinds.first(), Some(&ChartKind::Load), "{kinds:?}");
    let load = &all[0];
    assert_eq!(load.title, "Event-loop holds the 2 ms SLO to 5,900/s; thread-pool to 4,050/s");
    assert!(load.alt.contains("at 1,000/s") && load.alt.contains("saturated"), "{}", load.alt);
    let placed = load.drawing(LIGHT, Size::Blog, Fonts::OfThePage).placed;
    let texts: Vec<&str> = placed.iter().map(|placed| placed.text.as_str()).collect();
    let has = |part: &str| texts.iter().any(|text| text.contains(part));
    assert!(has("SLO p99 2") && has("SLO to 5,900") && has("of 80 trials VALID"), "{texts:?}");
    let mut alone = searched();
    alone.capacity.truncate(1);
    alone.comparisons.clear();
    assert_eq!(pictures(&alone)[0].title, "Event-loop holds the 2 ms SLO to 5,900/s");
}

#[test]
fn a_forest_is_of_the_pair_that_is_asked_for() {
    let run = mock::payments(6, &mock::MODELS);
    let forest = |of, versus| pictures_of(&run, ChartKind::Forest, Some((of, versus)));
    assert!(forest("thread-pool", "event-loop")[0].alt.contains("higher"));
    assert!(forest("event-loop", "thread-pool")[0].alt.contains("lower"));
    assert!(forest("event-loop", "nobody").is_empty());
}

#[test]
fn a_hostile_name_stays_text() {
    for run in runs() {
        for picture in pictures(&run) {
            for shade in [Shade::Light, Shade::Dark] {
                let svg = picture.svg(shade, Size::Blog);
                assert!(!svg.contains("<script") && !svg.contains("<img"), "{}", picture.stem);
                assert!(svg.trim_end().ends_with("</svg>"));
            }
        }
    }
}

#[test]
fn a_saturated_contender_has_no_percentile_anywhere() {
    let mut run = mock::everything();
    mock::saturate(&mut run, "thread-pool");
    for picture in pictures(&run) {
        if matches!(picture.kind, ChartKind::Hdr | ChartKind::Load) {
            let at = picture.alt.find("thread-pool p50").map(|at| &picture.alt[at..]);
            assert!(at.is_none_or(|text| text.contains("saturated")), "{}", picture.alt);
        }
    }
}

#[test]
fn an_invalid_run_is_stamped_and_concludes_nothing() {
    let mut run = mock::everything();
    run.verdict = Verdict::Invalid;
    for picture in pictures(&run).into_iter().filter(|picture| picture.kind != ChartKind::Gate) {
        let svg = picture.svg(Shade::Light, Size::Blog);
        assert!(svg.contains(">INVALID<"), "{}", picture.stem);
        assert!(picture.title.contains("INVALID"), "{}", picture.title);
    }
}

#[cfg(feature = "png")]
#[test]
fn every_text_of_a_png_is_drawn() {
    let run = mock::everything();
    for picture in pictures(&run) {
        let bytes = png(&picture.svg(Shade::Dark, Size::Card), Size::Card).unwrap();
        assert!(bytes.starts_with(b"\x89PNG"), "{}", picture.stem);
        assert_eq!(&bytes[16..24], [0, 0, 0x09, 0x60, 0, 0, 0x04, 0xEC], "2400 x 1260");
    }
}

#[test]
fn figures_are_under_the_pointer_on_a_page_and_nowhere_else() {
    let run = mock::everything();
    let kinds = ["load-", "hdr-", "cpu-", "memory-", "time-", "layers-", "flame-"];
    for picture in pictures(&run) {
        let titles = |fonts| {
            let svg = picture.drawing(LIGHT, Size::Blog, fonts).svg;
            let parsed = roxmltree::Document::parse(&svg).unwrap();
            parsed.descendants().filter(|node| node.has_tag_name("title")).count()
        };
        assert_eq!(titles(Fonts::Embedded), 1, "{}: its own", picture.stem);
        let pointed = kinds.iter().any(|kind| picture.stem.starts_with(kind));
        assert_eq!(titles(Fonts::OfThePage) > 2, pointed, "{}", picture.stem);
    }
}

#[test]
fn the_words_of_every_chart() {
    let run = mock::everything();
    let told: Vec<String> = pictures(&run)
        .iter()
        .map(|picture| {
            let placed = picture.drawing(THEMES[1], Size::Blog, Fonts::OfThePage).placed;
            let texts: Vec<&str> = placed.iter().map(|placed| placed.text.as_str()).collect();
            format!("{}\n{}\n{}\n", picture.stem, picture.alt, texts.join(" | "))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_drawing_is_the_same_every_time() {
    let run = mock::everything();
    let draw =
        || pictures(&run).iter().map(|p| p.svg(Shade::Light, Size::Blog)).collect::<String>();
    assert_eq!(draw(), draw());
}
