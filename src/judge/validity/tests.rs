//! Each rule, tripped by evidence made for it. `tests/suite/validity.rs` trips them with real processes.

use super::*;
use crate::judge::mock;
use crate::record::DriftVerdict;
use crate::record::outcome::{Breakdown, Kind, Outstanding, RequestError, Slice, Tally, Timed};
use crate::units::Nanos;

const QUIET: Hiccups = Hiccups { worst: Nanos(0), lost: Share(0.0), floor: [Nanos(0); 4] };

fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
    let mut histogram = Histogram::new_with_max(10_000_000_000, 3).unwrap();
    values.into_iter().for_each(|value| histogram.record(value).unwrap());
    histogram
}

/// 2,000 answers at 500 us of which `lag_ns` was ours.
pub(crate) fn outcome(lag_ns: u64) -> Outcome {
    let each = |value| histogram(std::iter::repeat_n(value, 2_000));
    Outcome {
        schedule_hash: 1,
        window: Nanos::SECOND,
        slice: Nanos(33_333_334),
        offered: 2_000,
        unfinished: 0,
        answered_in_window: 2_000,
        answered_in_first_half: 1_000,
        kinds: vec![Kind {
            steps: Vec::new(),
            name: "payment".into(),
            requests: 2_000,
            errors: BTreeMap::new(),
            statuses: BTreeMap::new(),
            answers: BTreeMap::new(),
            firsts: BTreeMap::new(),
            unanswered: 0,
            timeout: Nanos::SECOND,
            failed_for: Nanos(0),
            response: each(500_000),
            response_less_lag: each(500_000 - lag_ns),
            service: each(500_000 - lag_ns),
            backlog: each(0),
            generator_lag: each(lag_ns),
            timed: Timed { receive_lag: each(0), less_lag: each(0), less_both: each(0) },
            slices: Vec::new(),
            breakdown: Breakdown::new(),
            buckets: Vec::new(),
        }],
        outstanding: Outstanding { at_start: 1, at_end: 1, mean: 1.0 },
        all_busy: Nanos(0),
        metered: Nanos::SECOND,
        cpu: Nanos::SECOND,
        spun: Nanos(800_000_000),
        held: Nanos(0),
        refused: BTreeMap::new(),
        reconnects: 0,
        connect: Histogram::new(3).unwrap(),
        handshake: Histogram::new(3).unwrap(),
        first_service: Histogram::new(3).unwrap(),
        received_bytes: 0,
        sent_bytes: 0,
        began_empty: false,
        led_in: None,
        tally: Tally::default(),
    }
}

fn judged(outcome: &Outcome, change: impl Fn(&mut Evidence<'_>)) -> Judged {
    let mut evidence = Evidence {
        contender_share: Some(0.3),
        steal_share: Some(0.0),
        throttled_share: Some(0.0),
        hiccups: Some(QUIET),
        lag_limit: Some(Nanos(100_000)),
        ..Evidence::of(outcome, true)
    };
    change(&mut evidence);
    judge(&evidence)
}

#[test]
fn a_punctual_generator_is_valid() {
    let judged = judged(&outcome(2_000), |_| ());
    assert_eq!(judged.validity.verdict, TrialVerdict::Valid, "{judged:?}");
    assert!(!judged.validity.voids_round && judged.validity.reasons.is_empty());
    assert_eq!(judged.bound_by, BoundBy::Nothing);
}

#[test]
fn a_full_generator_is_found_beside_an_idle_one() {
    let (mut full, mut idle) = (outcome(2_000), outcome(2_000));
    (full.spun, idle.spun) = (Nanos(0), Nanos::SECOND);
    let mut whole = full.clone();
    whole.merge(idle.clone());
    let mut both = judged(&whole, |_| ());
    assert_eq!(both.bound_by, BoundBy::Nothing, "on average they had room");
    both.judge_part("a", &Evidence::of(&idle, true));
    assert!(!both.validity.voids_round, "{both:?}");
    both.judge_part("d", &Evidence::of(&full, true));
    assert!(both.validity.voids_round && both.bound_by == BoundBy::Generator, "{both:?}");
    let told = |reason: &String| reason.starts_with("on host d the generator's core was 100");
    assert!(both.validity.reasons.iter().any(told), "{both:?}");
}

#[test]
fn a_round_is_void_over_the_limit_whatever_the_response_times() {
    let at = |lag, change: fn(&mut Evidence<'_>)| judged(&outcome(lag), change).validity;
    let late = at(99_000, |_| ());
    assert_eq!((late.verdict, late.voids_round), (TrialVerdict::Suspect, false), "{late:?}");
    assert_eq!(late.lag_limit_ns, Some(100_000));
    let void = at(101_000, |_| ());
    assert_eq!((void.verdict, void.voids_round), (TrialVerdict::Invalid, true));
    assert!(void.reasons[0].contains("late at p99, over the limit of 100 us"), "{void:?}");
    assert!(!at(101_000, |it| it.lag_limit = Some(Nanos::MILLI)).voids_round);
    assert!(!at(101_000, |it| it.lag_limit = None).voids_round, "there is no round");
    assert!(!at(101_000, |it| it.open = false).voids_round);
    // The same lag beside slower answers, and beside failures, is as void.
    let mut slow = outcome(101_000);
    slow.kinds[0].response = histogram(std::iter::repeat_n(50_000_000, 2_000));
    slow.kinds[0].response_less_lag = histogram(std::iter::repeat_n(49_899_000, 2_000));
    assert!(judged(&slow, |_| ()).validity.voids_round);
    // A session of several requests, each of which is in time.
    let mut session = outcome(101_000);
    session.kinds[0].steps = outcome(51_000).kinds;
    assert!(!judged(&session, |_| ()).validity.voids_round);
    session.kinds[0].steps = outcome(101_000).kinds;
    assert!(judged(&session, |_| ()).validity.voids_round);
    // Of 200 requests p90 is the highest that they support.
    let mut few = outcome(0);
    let lags = |late: usize| histogram((0..200).map(|i| if i < late { 101_000 } else { 0 }));
    few.kinds[0].generator_lag = lags(19);
    assert!(!judged(&few, |_| ()).validity.voids_round);
    few.kinds[0].generator_lag = lags(21);
    assert!(judged(&few, |_| ()).validity.voids_round);
}

#[test]
fn the_limit_is_a_tenth_of_the_promise_or_of_the_floor_and_never_below_100_us() {
    let with = |name: &str| lag_limit(&crate::scenario::builtin(name).unwrap());
    assert_eq!(with("payment-memory"), Nanos(100_000), "a floor of less than a millisecond");
    let mut promised = crate::scenario::builtin("payment-50ms-query").unwrap();
    promised.slo = None;
    assert_eq!(lag_limit(&promised), Nanos(5_106_000), "50 ms, 1 ms and 60 us");
    promised.baseline_p99 = Some(Nanos(80_000_000));
    assert_eq!(lag_limit(&promised), Nanos(8_000_000));
    let error_rate = Share(0.01);
    promised.slo = Some(crate::scenario::Slo { p99: Nanos(200_000_000), error_rate });
    assert_eq!(lag_limit(&promised), Nanos(20_000_000), "what is stated counts");
}

#[test]
fn a_share_of_each_percentile_is_kept_and_none_is_withheld() {
    let mut outcome = outcome(0);
    outcome.kinds[0].response = histogram(std::iter::repeat_n(40_000, 2_000));
    outcome.kinds[0].response_less_lag = histogram(std::iter::repeat_n(25_000, 2_000));
    let judged = judged(&outcome, |_| ());
    let ours = &judged.ours["payment"];
    assert_eq!(ours.keys().collect::<Vec<_>>(), ["p50", "p90", "p99"], "p99.9 has too few samples");
    assert!(ours.values().all(|share| (share - 0.375).abs() < 0.01), "{ours:?}");
    assert_eq!(judged.validity.verdict, TrialVerdict::Suspect, "however few microseconds");
}

#[test]
fn only_the_headline_percentile_marks_a_trial() {
    let mut outcome = outcome(0);
    // The slowest 5 % are ours: p99 is affected, p50 is not.
    let mixed = |slow| histogram((0..2_000).map(|i| if i < 1_900 { 500_000 } else { slow }));
    outcome.kinds[0].response = mixed(5_000_000);
    outcome.kinds[0].response_less_lag = mixed(500_000);
    assert_eq!(judged(&outcome, |_| ()).validity.verdict, TrialVerdict::Suspect);
    let p50 = judged(&outcome, |evidence| evidence.headline = "p50");
    assert_eq!(p50.validity.verdict, TrialVerdict::Valid);
    assert!(p50.ours["payment"]["p99"] > 0.8);
}

#[test]
fn a_busy_generator_voids_an_open_trial_and_is_normal_in_a_closed_one() {
    let mut outcome = outcome(0);
    outcome.spun = Nanos(0);
    let open = judged(&outcome, |_| ());
    assert_eq!((open.bound_by, open.validity.voids_round), (BoundBy::Generator, true));
    let closed = judged(&outcome, |evidence| evidence.open = false);
    assert_eq!(closed.validity.verdict, TrialVerdict::Valid);
    let full = judged(&outcome, |evidence| {
        evidence.open = false;
        evidence.contender_share = Some(0.99);
    });
    assert_eq!(full.bound_by, BoundBy::Contender);
}

#[test]
fn a_generator_whose_core_others_had_is_at_fault_however_little_of_it_shows() {
    let mut outcome = outcome(0);
    // It read so late that its connections ran out: what waits then looks like a lack of connections.
    outcome.all_busy = Nanos::SECOND;
    outcome.held = Nanos(260_000_000);
    let held = judged(&outcome, |_| ());
    assert_eq!((held.bound_by, held.validity.voids_round), (BoundBy::Generator, true));
    assert!(held.validity.reasons[0].contains("26 %"), "{:?}", held.validity.reasons);
    outcome.held = Nanos(240_000_000);
    assert!(!judged(&outcome, |_| ()).validity.voids_round, "its lateness is judged by its share");
}

#[test]
fn a_thread_that_sees_the_end_of_the_window_late_is_busy_for_all_that_time() {
    let mut outcome = outcome(0);
    // A window of a second that took four seconds to get through, two of them at work.
    outcome.metered = Nanos(4_000_000_000);
    (outcome.cpu, outcome.spun) = (Nanos(2_000_000_000), Nanos(0));
    outcome.held = Nanos(400_000_000);
    assert!((generator_share(&outcome) - 0.5).abs() < 1e-9);
    assert!(!judged(&outcome, |_| ()).validity.voids_round, "others had a tenth of its core");
}

#[test]
fn exhausted_descriptors_are_the_generators_fault() {
    let mut outcome = outcome(0);
    outcome.refused.insert("descriptors", 3);
    let judged = judged(&outcome, |_| ());
    assert!(judged.validity.voids_round && judged.validity.reasons[0].contains("descriptors"));
}

#[test]
fn ports_that_the_contenders_closes_used_up_are_its_failures() {
    let mut outcome = outcome(0);
    outcome.refused.insert("ports", 3);
    outcome.reconnects = 999;
    let ours = judged(&outcome, |_| ());
    assert!(ours.validity.voids_round && ours.bound_by == BoundBy::Generator);
    outcome.reconnects = 1_000;
    let theirs = judged(&outcome, |_| ());
    assert!(!theirs.validity.voids_round && theirs.bound_by == BoundBy::Nothing);
    assert_eq!(theirs.validity.verdict, TrialVerdict::Suspect);
    assert!(theirs.validity.reasons[0].contains("1,000 connections"), "{theirs:?}");
    outcome.refused.insert("descriptors", 1);
    assert!(judged(&outcome, |_| ()).validity.voids_round, "those are ours all the same");
}

#[test]
fn too_few_connections_are_suspect_unless_the_contender_was_full() {
    let mut outcome = outcome(0);
    outcome.all_busy = Nanos::MILLI;
    let starved = judged(&outcome, |_| ());
    assert_eq!(starved.bound_by, BoundBy::Connections);
    assert_eq!(starved.validity.verdict, TrialVerdict::Suspect);
    let full = judged(&outcome, |evidence| evidence.contender_share = Some(0.97));
    assert_eq!((full.bound_by, full.validity.verdict), (BoundBy::Contender, TrialVerdict::Valid));
}

#[test]
fn a_generator_that_cannot_keep_up_does_not_lack_connections() {
    let of = |change: fn(&mut Kind)| {
        let mut outcome = outcome(0);
        outcome.all_busy = Nanos::SECOND;
        change(&mut outcome.kinds[0]);
        judged(&outcome, |_| ())
    };
    // Requests time out after a second.
    let slow = of(|kind| kind.response.record(4_100_000_000).unwrap());
    let late = of(|kind| {
        kind.timed.receive_lag =
            histogram((0..2_000).map(|i| if i < 1_900 { 0 } else { 150_000_000 }));
    });
    for (found, said) in [(slow, "a correct response took 4.1 s"), (late, "late at p99")] {
        assert_eq!((found.bound_by, found.validity.voids_round), (BoundBy::Generator, true));
        let reasons = found.validity.reasons.join("; ");
        assert!(reasons.starts_with("the generator could not keep up: "), "{reasons}");
        assert!(reasons.contains(said) && !reasons.contains("more connections"), "{reasons}");
    }
    // What a punctual one sees: up to a timeout each for a connection and for the answer.
    let waited = of(|kind| {
        kind.response.record(1_900_000_000).unwrap();
        kind.timed.receive_lag = histogram(std::iter::repeat_n(1_000_000, 2_000));
    });
    assert_eq!(waited.bound_by, BoundBy::Connections);
}

#[test]
fn a_server_that_is_down_hangs_or_cuts_off_has_words_of_its_own() {
    let told = |fault: RequestError, unanswered: u64| {
        let mut outcome = outcome(0);
        outcome.all_busy = Nanos::SECOND;
        outcome.kinds[0].errors.insert(fault.name(), 300);
        outcome.kinds[0].unanswered = unanswered;
        let judged = judged(&outcome, |_| ());
        assert_eq!(judged.validity.verdict, TrialVerdict::Suspect);
        (judged.bound_by, judged.validity.reasons.join("; "))
    };
    for (fault, unanswered, said) in [
        (RequestError::Connect, 0, "300 of 2,000 requests could not connect"),
        (RequestError::Timeout, 280, "280 of 2,000 requests had no answer within 1 s"),
        (RequestError::Reset, 0, "300 of 2,000 requests were cut off"),
        (RequestError::Malformed, 0, "300 of 2,000 requests had an answer that is not HTTP/1.1"),
    ] {
        let (bound_by, told) = told(fault, unanswered);
        assert!(told.contains(said) && !told.contains("more connections"), "{told}");
        assert_eq!(bound_by, BoundBy::Nothing, "{fault:?}");
    }
    // These waited for a connection and never had one: more of them would have helped.
    for (fault, unanswered) in [(RequestError::Timeout, 15), (RequestError::BadStatus, 0)] {
        let (bound_by, told) = told(fault, unanswered);
        assert!(bound_by == BoundBy::Connections && told.contains("more connections"), "{told}");
    }
}

#[test]
fn a_server_that_hangs_is_named_where_no_connection_was_waited_for() {
    let mut outcome = outcome(0);
    outcome.kinds[0].errors.insert(RequestError::Timeout.name(), 300);
    outcome.kinds[0].unanswered = 300;
    for open in [true, false] {
        let hung = judged(&outcome, |evidence| evidence.open = open);
        assert_eq!(hung.bound_by, BoundBy::Nothing);
        assert_eq!(hung.validity.verdict, TrialVerdict::Suspect);
        let said = "300 of 2,000 requests had no answer within 1 s: the server hung";
        assert!(hung.validity.reasons[0].starts_with(said), "{:?}", hung.validity.reasons);
    }
    let promised = judged(&outcome, |evidence| evidence.error_bound = Share(0.2));
    assert_eq!(promised.validity.verdict, TrialVerdict::Valid, "so many may fail");
}

#[test]
fn growth_beyond_its_fluctuation_is_saturation_and_no_other_fault() {
    let mut outcome = outcome(0);
    outcome.outstanding = Outstanding { at_start: 2, at_end: 400, mean: 200.0 };
    let behind = judged(&outcome, |evidence| evidence.contender_share = Some(0.99));
    assert!(behind.saturated && behind.bound_by == BoundBy::Contender);
    assert_eq!(behind.validity.verdict, TrialVerdict::Valid);
    outcome.outstanding = Outstanding { at_start: 2, at_end: 21, mean: 200.0 };
    assert!(!judged(&outcome, |_| ()).saturated, "19 is less than 1 % of 2,000");
    outcome.outstanding = Outstanding { at_start: 118, at_end: 200, mean: 123.0 };
    assert!(!judged(&outcome, |_| ()).saturated, "a pause before the window's end");
}

#[test]
fn steal_is_suspect() {
    let judged = judged(&outcome(0), |evidence| evidence.steal_share = Some(0.08));
    assert_eq!(judged.validity.verdict, TrialVerdict::Suspect);
    assert!(judged.validity.reasons[0].contains("8 %"));
}

#[test]
fn a_machine_with_hiccups_is_suspect_whatever_it_says_of_steal() {
    let hiccups = Hiccups { worst: Nanos(316_000_000), lost: Share(0.6), ..QUIET };
    let judged = judged(&outcome(0), |evidence| evidence.hiccups = Some(hiccups));
    assert_eq!(judged.validity.verdict, TrialVerdict::Suspect);
    assert!(!judged.validity.voids_round && judged.validity.reasons[0].contains("316 ms"));
}

#[test]
fn late_reads_are_ours_too() {
    let mut outcome = outcome(0);
    // Two digits of samples: only p50 is known of the reads, and stands for the ranks above it.
    outcome.kinds[0].timed.less_lag = histogram(std::iter::repeat_n(500_000, 20));
    outcome.kinds[0].timed.less_both = histogram(std::iter::repeat_n(300_000, 20));
    let late = judged(&outcome, |_| ());
    assert!((late.validity.our_share["p99"] - 0.4).abs() < 0.01, "{late:?}");
    assert!(!late.validity.voids_round && late.validity.verdict == TrialVerdict::Suspect);
    outcome.kinds[0].timed.less_both = histogram(std::iter::repeat_n(300_000, 19));
    outcome.kinds[0].timed.less_lag = histogram(std::iter::repeat_n(500_000, 19));
    assert_eq!(judged(&outcome, |_| ()).validity.verdict, TrialVerdict::Valid, "19 say nothing");
}

#[test]
fn what_piled_up_by_our_lateness_is_no_saturation() {
    let mut outcome = outcome(200_000);
    outcome.outstanding = Outstanding { at_start: 2, at_end: 400, mean: 200.0 };
    let late = judged(&outcome, |_| ());
    assert!(!late.saturated && late.validity.voids_round);
}

#[test]
fn the_order_of_what_binds_is_the_methods() {
    let mut outcome = outcome(0);
    let pool = histogram(std::iter::repeat_n(60_000, 1_000));
    let full = |outcome: &Outcome, change: fn(&mut Evidence<'_>)| {
        let judged = judged(outcome, |evidence| {
            evidence.dependency_share = Some(0.71);
            evidence.pool_share = Some(0.81);
            evidence.contender_share = Some(0.91);
            change(evidence);
        });
        (judged.bound_by, judged.validity.verdict)
    };
    use TrialVerdict::{Suspect, Valid};
    assert_eq!(full(&outcome, |_| ()), (BoundBy::Dependency, Valid));
    assert_eq!(full(&outcome, |it| it.dependency_share = Some(0.7)), (BoundBy::Pool, Valid));
    let neither = |it: &mut Evidence<'_>| {
        (it.dependency_share, it.pool_share) = (None, Some(0.8));
    };
    assert_eq!(full(&outcome, neither), (BoundBy::Contender, Valid));
    let waiting = judge(&Evidence { pool_wait: Some(&pool), ..Evidence::of(&outcome, true) });
    assert_eq!(waiting.bound_by, BoundBy::Pool, "60 us of 500 us");
    outcome.all_busy = Nanos::MILLI;
    assert_eq!(full(&outcome, |it| it.contender_share = None), (BoundBy::Connections, Suspect));
}

#[test]
fn a_quota_that_holds_tasks_back_is_suspect() {
    let judged = judged(&outcome(0), |evidence| evidence.throttled_share = Some(0.3));
    assert_eq!(judged.validity.verdict, TrialVerdict::Suspect);
    assert!(judged.validity.reasons[0].contains("quota") && !judged.validity.voids_round);
}

#[test]
fn a_percentile_at_the_machines_floor_is_the_machines() {
    let floor = [0, 0, 260_000, 260_000].map(Nanos);
    let hiccups = Hiccups { floor, ..QUIET };
    let marked = judged(&outcome(0), |evidence| evidence.hiccups = Some(hiccups));
    assert_eq!(marked.validity.at_floor["payment"], ["p99"], "p99.9 has too few samples");
    assert_eq!(marked.validity.verdict, TrialVerdict::Valid, "marked, and kept as it is");
    let quiet = judged(&outcome(0), |evidence| evidence.hiccups = Some(QUIET));
    assert!(quiet.validity.at_floor.is_empty());
}

#[test]
fn a_generator_that_shares_cores_must_be_small() {
    let with = |cores| judged(&outcome(0), |evidence| evidence.shared_cores = Some(cores)).validity;
    assert_eq!(with(20).verdict, TrialVerdict::Valid, "a second of twenty");
    assert_eq!(with(4).verdict, TrialVerdict::Suspect);
    assert!(with(4).reasons[0].contains("co-located"));
}

/// 20 s with 50 answers in each, whose times are `us(second)`.
fn by_second(us: impl Fn(u64) -> u64) -> Outcome {
    let mut outcome = outcome(0);
    (outcome.window, outcome.slice) = (Nanos(20_000_000_000), Nanos::SECOND);
    let slice = |second| {
        let mut times = Histogram::new_with_bounds(1, 60_000_000_000, 2).unwrap();
        times.record_n(us(second) * 1_000, 50).unwrap();
        Slice { times, timeouts: 0, others: 0 }
    };
    outcome.kinds[0].slices = (0..20).map(slice).collect();
    outcome
}

#[test]
fn failures_rank_above_every_time_and_nothing_of_them_is_ours() {
    // 1.5 % slow, most of which failed instead: without them p99 is that of the fast ones.
    let mut failing = outcome(200_000);
    failing.kinds[0].response.record_n(100_000_000, 12).unwrap();
    failing.kinds[0].response_less_lag.record_n(100_000_000, 12).unwrap();
    failing.kinds[0].errors.insert("reset", 18);
    failing.kinds[0].requests += 30;
    let found = judged(&failing, |_| ());
    assert!(found.validity.our_share["p99"] < 0.01, "{:?}", found.validity.our_share);
    assert!(found.validity.our_share["p50"] > 0.3);
    failing.kinds[0].errors.insert("reset", 30);
    failing.kinds[0].requests += 12;
    let found = judged(&failing, |_| ());
    assert!(!found.validity.our_share.contains_key("p99"), "it is a failure");
    let floor = [Nanos(0), Nanos(0), Nanos(300_000), Nanos(0)];
    let found = judged(&failing, |it| it.hiccups = Some(Hiccups { floor, ..QUIET }));
    assert!(found.validity.at_floor.is_empty(), "nor is it the machine's");
}

#[test]
fn late_reads_are_taken_off_the_same_request_whatever_failed() {
    // Of the timed ones, right answers all, the slowest 15 were read 300 us late.
    let mut outcome = outcome(0);
    let mixed = |slow: u64| histogram((0..2_000).map(|i| if i < 1_985 { 500_000 } else { slow }));
    outcome.kinds[0].timed.less_lag = mixed(900_000);
    outcome.kinds[0].timed.less_both = mixed(600_000);
    let p99 = |outcome: &Outcome| judged(outcome, |_| ()).validity.our_share["p99"];
    assert!(p99(&outcome) < 0.01, "p99 is the 1,980th of 2,000");
    outcome.kinds[0].errors.insert("reset", 10);
    outcome.kinds[0].requests += 10;
    assert!(p99(&outcome) > 0.5, "and beside ten failures the 1,990th of the right ones");
}

#[test]
fn a_service_that_begins_to_fail_has_drifted() {
    let mut outcome = by_second(|second| 500 + second);
    for slice in &mut outcome.kinds[0].slices[12..] {
        slice.others = 51;
    }
    let validity = judged(&outcome, |_| ()).validity;
    assert!(validity.reasons[0].contains("rose without end"), "{:?}", validity.reasons);
}

#[test]
fn a_drift_is_told_from_noise() {
    let drift = |outcome: &Outcome| judged(outcome, |_| ()).validity;
    let slower = drift(&by_second(|second| 500 + 20 * second + second % 3 * 7));
    assert_eq!((slower.drift, slower.verdict), (DriftVerdict::Slower, TrialVerdict::Suspect));
    assert!(slower.reasons[0].contains("median of payment rose by"), "{:?}", slower.reasons);
    assert!(!slower.voids_round);
    let faster = drift(&by_second(|second| 1_000 - 20 * second + second % 3 * 7));
    assert_eq!(faster.drift, DriftVerdict::Faster);
    let noise = drift(&by_second(|second| 500 + second * 7_919 % 101));
    assert_eq!((noise.drift, noise.verdict), (DriftVerdict::None, TrialVerdict::Valid));
    let small = drift(&by_second(|second| 500 + second / 2));
    assert_eq!(small.drift, DriftVerdict::None, "2 % are of no consequence");
    let mut short = by_second(|second| 500 + 20 * second);
    short.window = Nanos(19_999_999_999);
    assert_eq!(drift(&short).drift, DriftVerdict::NotTested);
}

#[test]
fn a_contender_that_breaks_down_has_lost_and_its_round_stands() {
    let mut outcome = outcome(0);
    outcome.refused.insert("ports", 1);
    let mut judged = judged(&outcome, |_| ());
    assert!(judged.validity.voids_round);
    judged.lose(LostBy::Crash, "the contender crashed".into());
    let validity = judged.validity;
    assert!(validity.lost && !validity.voids_round && validity.verdict == TrialVerdict::Invalid);
}

#[test]
fn an_empty_start_is_no_growth_and_what_fell_is_a_backlog() {
    let of = |at_start, at_end, mean, began_empty| {
        let outstanding = Outstanding { at_start, at_end, mean };
        Outcome { offered: 10_000, outstanding, began_empty, ..outcome(0) }
    };
    // 5,000/s behind 50 ms for two seconds: 250 are under way as soon as the first have been answered.
    assert!(!judged(&of(0, 250, 245.0, true), |_| ()).saturated);
    assert!(judged(&of(0, 250, 245.0, false), |_| ()).saturated);
    // What grows without end is saturated wherever it began.
    assert!(judged(&of(0, 2_000, 1_000.0, true), |_| ()).saturated);
    let reasons = |outcome: &Outcome| judged(outcome, |_| ()).validity.reasons.join("; ");
    let worked_off = judged(&of(250, 10, 60.0, false), |_| ());
    assert_eq!(worked_off.validity.verdict, TrialVerdict::Suspect);
    assert!(!worked_off.saturated && !worked_off.validity.voids_round);
    let told =
        "a backlog was worked off: 250 requests were outstanding at the window's start and 10";
    assert!(worked_off.validity.reasons[0].starts_with(told), "{worked_off:?}");
    assert_eq!(reasons(&of(250, 160, 200.0, false)), "", "within 1 % of what was offered");
    assert_eq!(reasons(&of(250, 130, 900.0, false)), "", "within its fluctuation");
}

#[test]
fn what_is_under_way_changes_with_the_steps_of_a_load() {
    // 250 ms behind 500/s and then 4,000/s, and the other way round.
    let mut outcome = outcome(0);
    outcome.offered = 9_000;
    outcome.outstanding = Outstanding { at_start: 125, at_end: 1_000, mean: 562.0 };
    let (steady, steps) = (None, Some(8.0));
    let saturated =
        |outcome: &Outcome, in_steps| judged(outcome, |e| e.in_steps = in_steps).saturated;
    assert!(saturated(&outcome, steady) && !saturated(&outcome, steps));
    outcome.outstanding.at_end = 1_400;
    assert!(saturated(&outcome, steps), "more than the rate brings along");
    let worked_off = |outcome: &Outcome, in_steps| {
        let judged = judged(outcome, |evidence| evidence.in_steps = in_steps);
        judged.validity.reasons.iter().any(|reason| reason.contains("worked off"))
    };
    outcome.outstanding = Outstanding { at_start: 1_000, at_end: 125, mean: 562.0 };
    assert!(worked_off(&outcome, steady) && !worked_off(&outcome, Some(0.125)));
    outcome.all_busy = Nanos(1_000_000);
    let full = |in_steps| judged(&outcome, |evidence| evidence.in_steps = in_steps).bound_by;
    assert_ne!(full(steps), full(steady), "a burst may fill a contender for a while");
    let moving = by_second(|second| 500 + 20 * second);
    let drift = judged(&moving, |evidence| evidence.in_steps = steps).validity.drift;
    assert_eq!(drift, DriftVerdict::NotTested);
}

#[test]
fn three_voids_and_more_than_half_of_all_are_one_contenders() {
    assert_eq!(culprit(&["a", "a"]), None);
    assert_eq!(culprit(&["a", "a", "a"]), Some("a"));
    assert_eq!(culprit(&["a", "b", "a", "b", "a"]), Some("a"));
    assert_eq!(culprit(&["a", "b", "a", "b", "a", "b"]), None, "half");
    assert_eq!(culprit(&["a", "a", "b", "c"]), None, "two");
}

#[test]
fn the_others_rounds_stand_but_where_they_voided_one_themselves() {
    let mut trials = mock::payments(6, &mock::MODELS[..2]).trials;
    let [first, second] = [0, 1].map(|at| mock::MODELS[at].0);
    let mut void = |round: u32, name: &str| {
        for trial in trials.iter_mut().filter(|trial| trial.round == round) {
            trial.voided = true;
            trial.validity.voids_round |= trial.contender == name;
        }
    };
    (1..=3).for_each(|round| void(round, first));
    (3..=4).for_each(|round| void(round, second));
    let scenario = trials[0].scenario.clone();
    assert_eq!(settle(&mut trials, "another"), 0);
    assert_eq!(settle(&mut trials, &scenario), 2);
    let rounds = |name: &str, voided| -> Vec<u32> {
        let own = trials.iter().filter(|t| t.contender == name && t.voided == voided);
        own.map(|trial| trial.round).collect()
    };
    assert_eq!(rounds(second, true), [3, 4], "3 both voided, 4 the other one alone");
    let invalid = |name: &str| {
        let of = trials.iter().filter(|trial| trial.contender == name);
        of.filter(|trial| trial.validity.verdict == TrialVerdict::Invalid).count()
    };
    assert_eq!((invalid(first), invalid(second)), (6, 0));
    assert!(trials[0].validity.reasons[0].starts_with("3 of 5 void trials"), "{trials:?}");
    assert_eq!(settle(&mut trials, &scenario), 0, "settled once");
}
