use super::*;
use crate::stats::tests::Random;

fn plan(first: f64, bisections: u32, order_seed: u64) -> SearchPlan {
    let (lowest, highest) = (Rate(10.0), Rate(100_000.0));
    SearchPlan { first: Rate(first), highest, lowest, bisections, order_seed }
}

/// Runs a search to its end; gives the answer with the number of short and of deciding trials.
fn run(plan: SearchPlan, mut kept: impl FnMut(f64) -> bool) -> (Capacity, usize, usize) {
    let mut search = Search::new(plan);
    let (cost, mut short, mut deciding) = (search.cost(), 0, 0);
    while let Some(step) = search.next() {
        assert_eq!(search.next(), Some(step), "asking again changes nothing");
        assert!(step.rate >= plan.lowest && step.rate <= plan.highest, "{step:?}");
        match step.stage {
            Stage::Short => short += 1,
            Stage::Deciding => deciding += 1,
        }
        search.record(step.rate, Some(kept(step.rate.0)));
    }
    assert!(short <= cost.short_max && deciding <= cost.deciding_max, "{short}, {deciding}");
    (search.answer(), short, deciding)
}

#[test]
fn a_clear_border_is_bracketed_at_the_stated_cost() {
    for truth in [12.0, 230.0, 1_000.0, 1_001.0, 7_777.0, 90_000.0] {
        let (found, _, deciding) = run(plan(1_000.0, 4, 1), |rate| rate <= truth);
        let (low, high) = (found.at_least.unwrap().0, found.below.unwrap().0);
        assert!(low <= truth && truth < high, "{truth}: {found:?}");
        assert!(high / low < 1.045, "{truth}: {found:?}");
        assert_eq!(deciding, 2 * AGREE);
    }
}

#[test]
fn borders_outside_leave_an_end_open() {
    let (all, short, deciding) = run(plan(1_000.0, 3, 1), |_| true);
    assert_eq!(all.below, None);
    assert!(all.at_least.unwrap().0 > 91_000.0, "the last level below the highest rate");
    assert_eq!((short, deciding), (8, AGREE));
    let (none, _, deciding) = run(plan(1_000.0, 3, 1), |_| false);
    assert!(none.at_least.is_none() && none.below.unwrap().0 < 11.0, "{none:?}");
    assert_eq!(deciding, AGREE);
}

#[test]
fn both_levels_are_run_in_shuffled_order() {
    let orders: Vec<Vec<bool>> = (0..8)
        .map(|seed| {
            let (mut order, mut search) = (Vec::new(), Search::new(plan(1_000.0, 3, seed)));
            while let Some(step) = search.next() {
                let kept = step.rate.0 <= 3_000.0;
                order.extend((step.stage == Stage::Deciding).then_some(kept));
                search.record(step.rate, Some(kept));
            }
            order
        })
        .collect();
    assert!(orders.iter().all(|order| order.len() == 2 * AGREE));
    let alternating = |order: &Vec<bool>| order.windows(2).filter(|w| w[0] != w[1]).count();
    assert!(orders.iter().any(|order| order != &orders[0]), "the seed matters");
    let mixed = orders.iter().filter(|order| alternating(order) > 1).count();
    assert!(mixed >= 6, "{orders:?}");
}

#[test]
fn five_of_five_decide_or_seven_of_eight() {
    let ruled = |text: &str| ruling(&text.chars().map(|c| c == 'k').collect::<Vec<_>>());
    for (trials, expected) in [
        ("", Ruling::Open),
        ("kkkk", Ruling::Open),
        ("kkkkk", Ruling::Decided(true)),
        ("bbbbb", Ruling::Decided(false)),
        ("bkkkk", Ruling::Open),
        ("bkkkkkk", Ruling::Open),
        ("bkkkkkkk", Ruling::Decided(true)),
        ("bbbkbbbb", Ruling::Decided(false)),
        ("kb", Ruling::Open),
        ("kbkb", Ruling::Undecided),
        ("bkkkkkkb", Ruling::Undecided),
    ] {
        assert_eq!(ruled(trials), expected, "{trials}");
    }
}

#[test]
fn a_coin_decides_for_either_side_one_time_in_twenty() {
    let mut tally = [0_u32; 2];
    for tosses in 0..256_u32 {
        let all: Vec<bool> = (0..8).map(|place| tosses >> place & 1 == 1).collect();
        let said = (1..=8).map(|n| ruling(&all[..n])).find(|ruling| *ruling != Ruling::Open);
        if let Some(Ruling::Decided(kept)) = said {
            tally[usize::from(kept)] += 1;
        }
    }
    assert_eq!(tally, [13, 13], "of 256: 8 that agree at once and 5 with one that does not");
}

#[test]
fn a_trial_that_breaks_never_makes_a_level_kept() {
    let rank = |trials: &[bool]| match ruling(trials) {
        Ruling::Decided(kept) => 2 * i32::from(kept),
        Ruling::Open | Ruling::Undecided => 1,
    };
    for tosses in 0..256_u32 {
        let all: Vec<bool> = (0..8).map(|place| tosses >> place & 1 == 1).collect();
        for n in 1..=8 {
            for place in (0..n).filter(|place| all[*place]) {
                let mut worse = all.clone();
                worse[place] = false;
                assert!(rank(&worse[..n]) <= rank(&all[..n]), "{all:?} {place}");
            }
        }
    }
}

#[test]
fn an_undecided_level_widens_the_interval_and_a_wrong_one_moves_it() {
    let mut toss = false;
    // 3,000/s lies between the levels 2,828 and 3,084; the lower one is on the edge.
    let (found, ..) = run(plan(1_000.0, 3, 1), |rate| {
        toss = !toss;
        rate < 2_700.0 || (rate < 3_000.0 && toss)
    });
    assert!(found.at_least.unwrap().0 < 2_700.0, "{found:?}");
    // Short trials believe in a border at 3,000, deciding ones in one at 2,000.
    let mut trials = 0;
    let (found, short, _) = run(plan(1_000.0, 3, 1), |rate| {
        trials += 1;
        rate <= if trials <= 6 { 3_000.0 } else { 2_100.0 }
    });
    assert_eq!(short, 6);
    let (low, high) = (found.at_least.unwrap().0, found.below.unwrap().0);
    assert!(low <= 2_100.0 && 2_100.0 < high, "{found:?}");
}

#[test]
fn a_contender_that_keeps_every_second_trial_has_no_answer() {
    let mut trials = std::collections::BTreeMap::new();
    let (found, _, deciding) = run(plan(1_000.0, 3, 1), |rate| {
        let trials: &mut u32 = trials.entry(rate.to_bits()).or_default();
        *trials += 1;
        *trials % 2 == 1
    });
    assert_eq!(found, Capacity { at_least: None, below: None });
    assert!(deciding > 2 * AGREE, "it was tried");
}

/// Response time against rate as queues have it, seen through a noisy machine.
#[test]
fn a_noisy_hockey_stick_is_bracketed() {
    const RUNS: u64 = 1_000;
    let mut random = Random(61);
    let (mut covered, mut open, mut trials, mut widths) = (0, 0, 0, Vec::new());
    for seed in 0..RUNS {
        // The SLO is ten times the idle response time: 90 % of saturation.
        let saturation = 500.0 * 64.0_f64.powf(random.uniform());
        let truth = 0.9 * saturation;
        let first = saturation * (0.3 + 0.4 * random.uniform());
        let (found, short, deciding) = run(plan(first, 3, seed), |rate| {
            let stall = if random.uniform() < 0.05 { 2.0 } else { 1.0 };
            let noise = (0.2 * random.normal()).exp() * stall;
            rate < saturation && noise / (1.0 - rate / saturation) <= 10.0
        });
        let low = found.at_least.map_or(0.0, |rate| rate.0);
        let high = found.below.map_or(f64::INFINITY, |rate| rate.0);
        covered += u64::from(low <= truth && truth < high);
        open += u64::from(low == 0.0 || high == f64::INFINITY);
        trials += short + deciding;
        widths.push(high / low);
    }
    widths.sort_unstable_by(f64::total_cmp);
    let (median, most) = (widths[500], widths[950]);
    println!(
        "{covered} of {RUNS} bracketed, {open} with an open end, width {median:.3}, 95 of 100 \
              below {most:.3}, {:.1} trials",
        trials as f64 / RUNS as f64
    );
    assert!(covered >= 950, "{covered} of {RUNS}");
    assert!(open <= 10, "an open end brackets anything: {open} of {RUNS}");
    assert!(median < 1.25, "{median}");
}

#[test]
fn what_no_trial_answers_leaves_its_end_open_and_takes_nothing_else_away() {
    // No trial above 5,000/s holds: the machine has no more to send.
    let found = |holds: &dyn Fn(f64) -> Option<bool>| {
        let mut search = Search::new(plan(1_000.0, 3, 1));
        while let Some(step) = search.next() {
            search.record(step.rate, holds(step.rate.0));
        }
        search.answer()
    };
    let fast = found(&|rate| (rate < 5_000.0).then_some(true));
    assert_eq!((fast.at_least, fast.below), (Some(Rate(4_000.0)), None));
    let slow = found(&|rate| (rate > 3_000.0).then_some(false));
    assert_eq!((slow.at_least, slow.below), (None, None), "its first trial had no answer");
    let edge = found(&|rate| (!(2_500.0..3_000.0).contains(&rate)).then_some(rate < 2_700.0));
    assert_eq!((edge.at_least, edge.below), (Some(Rate(2_000.0)), Some(Rate(4_000.0))));
    assert_eq!(found(&|_| None), Capacity { at_least: None, below: None });
}

#[test]
fn a_void_trial_is_asked_for_again_before_it_is_given_up() {
    let mut search = Search::new(plan(1_000.0, 3, 1));
    let step = search.next().unwrap();
    assert!((1..TRIES).all(|_| !search.record(step.rate, None) && search.next() == Some(step)));
    assert!(!search.record(step.rate, Some(true)), "it was had in the end");
    let next = search.next().unwrap();
    let given_up = (0..TRIES).map(|_| search.record(next.rate, None)).collect::<Vec<_>>();
    assert_eq!(given_up, [false, false, true], "each trial has all of its tries");
    assert_ne!(search.next(), Some(next));
}

#[test]
fn a_search_around_a_ceiling_keeps_its_rates_in_order() {
    for (ceiling, lowest, highest) in [(1e4, 50.0, 1e6), (100.0, 500.0, 1e6), (1e5, 10.0, 200.0)] {
        let plan = SearchPlan::around(Rate(ceiling), Rate(lowest), Rate(highest), 1);
        assert!(plan.lowest <= plan.first && plan.first <= plan.highest, "{plan:?}");
        assert!(plan.lowest.0 == lowest && plan.highest.0 <= highest.max(lowest), "{plan:?}");
    }
}

#[test]
#[should_panic(expected = "a trial is recorded after it was asked for")]
fn an_answer_to_no_question_is_a_bug() {
    Search::new(plan(1_000.0, 3, 1)).record(Rate(1_000.0), Some(true));
}
