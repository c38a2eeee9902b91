//! Which layers and which functions make the difference between two contenders' CPU, from profiled rounds.

use std::collections::BTreeSet;

use crate::judge::races::middle;
use crate::record::{Flame, FunctionCost, FunctionDifference, LayerDifference, Profile, Why};
use crate::stats::{self, Better};
use crate::text::{clean, percent};

/// Of an interval by itself.
const CONFIDENCE: f64 = 0.95;
/// A layer's share could be wrong by as much.
const LOST_MAX: f64 = 0.05;
/// With more of them what calls a library is mostly not known, nor then whose time it is.
const CUT_MAX: f64 = 0.5;
/// Of the intervals of all functions of a pair together.
const TOGETHER: f64 = 0.99;
/// Rounds without which no function is compared.
const FEWEST: usize = 6;
/// Functions that are kept of a contender, and of a pair.
const FUNCTIONS_KEPT: usize = 20;
/// What stands for functions without a name.
const UNNAMED: &str = "[unknown]";
/// What stands for all layers together.
pub(crate) const ALL: &str = "all";

/// Why nothing is said of a contender's layers: the samples do not show where its CPU time went.
pub(crate) fn withheld(own: &[&Profile]) -> Option<String> {
    let name = clean(&own.first()?.contender);
    let samples: u64 = own.iter().map(|one| one.samples).sum();
    let cut: f64 = own.iter().map(|one| one.cut_share * one.samples as f64).sum();
    let (lost, cut) = (lost_share(own), cut / samples as f64);
    let most = |share: f64, of: &str, what: &str, most: f64| {
        let (share, most) = (percent(share, 0), percent(most, 0));
        format!("{share} of the {of} of {name} {what}, more than {most}")
    };
    match () {
        () if lost > LOST_MAX => Some(most(lost, "samples", "were lost", LOST_MAX)),
        () if cut > CUT_MAX => Some(most(cut, "stacks", "are cut", CUT_MAX)),
        () => None,
    }
}

fn lost_share(own: &[&Profile]) -> f64 {
    let sum = |of: fn(&Profile) -> u64| own.iter().map(|one| of(one)).sum::<u64>() as f64;
    let (samples, lost) = (sum(|one| one.samples), sum(|one| one.lost));
    lost / (samples + lost)
}

/// How much more CPU a right answer took in profiled trials than in `timed` ones of the same load, us, by the medians.
pub(crate) fn overhead(own: &[&Profile], timed: Vec<f64>) -> Option<f64> {
    let profiled = middle(own.iter().map(|one| one.cpu_us_per_request).collect())?;
    Some(profiled / middle(timed)? - 1.0)
}

/// Two contenders of a scenario with their rounds.
struct Pair<'a> {
    of: &'a Flame,
    versus: &'a Flame,
    /// In the same order.
    rounds: Vec<(&'a Profile, &'a Profile)>,
}

/// Each contender against the first one of its scenario, paired by round.
fn pairs(why: &Why) -> Vec<Pair<'_>> {
    let mut found = Vec::new();
    for (place, versus) in why.flames.iter().enumerate() {
        if why.flames[..place].iter().any(|flame| flame.scenario == versus.scenario) {
            continue;
        }
        let others = why.flames[place + 1..].iter().filter(|one| one.scenario == versus.scenario);
        found.extend(others.map(|of| {
            let of_first = |round| rounds(why, versus).find(|one| one.round == round);
            let rounds = rounds(why, of).filter_map(|one| Some((one, of_first(one.round)?)));
            Pair { of, versus, rounds: rounds.collect() }
        }));
    }
    found
}

/// The largest differences first, after that of all layers together.
pub(crate) fn differences(why: &Why) -> Vec<LayerDifference> {
    let mut found = Vec::new();
    for Pair { of, versus, rounds } in pairs(why) {
        let mut names: Vec<&String> =
            rounds.iter().flat_map(|(a, b)| a.layers.keys().chain(b.layers.keys())).collect();
        names.sort_unstable();
        names.dedup();
        let withheld = of.withheld.as_ref().or(versus.withheld.as_ref());
        let layer = |name: &str, cost: &dyn Fn(&Profile) -> f64| {
            let (a, b): (Vec<f64>, Vec<f64>) =
                rounds.iter().map(|(a, b)| (cost(a), cost(b))).unzip();
            let more = stats::ratio_of(&a, &b, Better::Less, CONFIDENCE)?.difference;
            Some(LayerDifference {
                scenario: versus.scenario.clone(),
                level: versus.level.clone(),
                of: of.contender.clone(),
                versus: versus.contender.clone(),
                layer: name.to_owned(),
                difference_us: more.value,
                low_us: more.interval.map(|interval| interval.low),
                high_us: more.interval.map(|interval| interval.high),
                n: more.n as u32,
                withheld: withheld.filter(|_| name == ALL).cloned(),
            })
        };
        // What is on one side only costs the other nothing.
        let each = names.iter().filter_map(|name| {
            layer(name, &|profile| profile.layers.get(*name).copied().unwrap_or(0.0))
        });
        let mut each: Vec<LayerDifference> = each.collect();
        each.sort_by(|a, b| b.difference_us.abs().total_cmp(&a.difference_us.abs()));
        found.extend(layer(ALL, &|profile| profile.cpu_us_per_request));
        found.extend(each.into_iter().filter(|_| withheld.is_none()));
    }
    found
}

fn rounds<'a>(why: &'a Why, of: &'a Flame) -> impl Iterator<Item = &'a Profile> {
    let own = move |one: &&Profile| one.scenario == of.scenario && one.contender == of.contender;
    why.profiles.iter().filter(own)
}

/// The functions that take most of a contender's CPU by themselves. None where too many samples were lost.
pub(crate) fn costs(own: &[&Profile]) -> Vec<FunctionCost> {
    let cpu: f64 = own.iter().map(|one| one.cpu_us_per_request).sum();
    if lost_share(own) > LOST_MAX || cpu <= 0.0 {
        return Vec::new();
    }
    let cost = |name: &String| {
        let us: f64 = own.iter().map(|one| one.function_us(name)).sum();
        FunctionCost { function: name.clone(), share: us / cpu, us: us / own.len() as f64 }
    };
    let mut costs: Vec<FunctionCost> = names(own.iter().copied()).into_iter().map(cost).collect();
    costs.sort_by(|a, b| b.us.total_cmp(&a.us));
    costs.truncate(FUNCTIONS_KEPT);
    costs
}

fn names<'a>(profiles: impl Iterator<Item = &'a Profile>) -> BTreeSet<&'a String> {
    profiles.flat_map(|one| one.functions.keys()).collect()
}

/// Each contender's functions against the first one's, paired by round, with intervals that hold together. Those that do
/// not contain 0 come first, the largest differences first in either part. None from fewer than six rounds.
pub(crate) fn functions(why: &Why) -> Vec<FunctionDifference> {
    let mut found = Vec::new();
    for pair in pairs(why) {
        let sides = pair.rounds.iter().map(|(a, b)| [*a, *b]);
        let sides: [Vec<&Profile>; 2] = [0, 1].map(|n| sides.clone().map(|it| it[n]).collect());
        if pair.rounds.len() < FEWEST || sides.iter().any(|own| lost_share(own) > LOST_MAX) {
            continue;
        }
        let names = names(sides.iter().flatten().copied());
        let family = names.len() as u32;
        let of_name = |name: &&String| function(&pair, name, family);
        let mut each: Vec<FunctionDifference> = names.iter().filter_map(of_name).collect();
        each.sort_by(|a, b| {
            let size = |one: &FunctionDifference| one.difference_us.abs();
            has_changed(b).cmp(&has_changed(a)).then(size(b).total_cmp(&size(a)))
        });
        each.truncate(FUNCTIONS_KEPT);
        found.extend(each);
    }
    found
}

fn function(pair: &Pair<'_>, name: &str, family: u32) -> Option<FunctionDifference> {
    let d: Vec<f64> =
        pair.rounds.iter().map(|(a, b)| a.function_us(name) - b.function_us(name)).collect();
    // A count scatters by its root, and one of nothing as one of a sample.
    let variance = |one: &Profile| {
        let n = one.functions.get(name).copied().unwrap_or(0).max(1);
        n as f64 * one.function_sample_us(name).powi(2)
    };
    let least = pair.rounds.iter().map(|(a, b)| variance(a) + variance(b)).sum();
    let each = 1.0 - (1.0 - TOGETHER) / f64::from(family);
    let more = stats::mean_difference(&d, least, each)?;
    let ends = |frames: &str| frames.rsplit(';').next() == Some(name);
    let mut paths = pair.of.stacks.iter().filter(|stack| ends(&stack.frames));
    Some(FunctionDifference {
        scenario: pair.versus.scenario.clone(),
        level: pair.versus.level.clone(),
        of: pair.of.contender.clone(),
        versus: pair.versus.contender.clone(),
        function: name.to_owned(),
        // The largest stacks come first.
        path: paths.next().map(|stack| stack.frames.clone()),
        difference_us: more.value,
        low_us: more.interval?.low,
        high_us: more.interval?.high,
        family,
        n: more.n as u32,
    })
}

/// Whether a function's interval does not contain 0.
pub(crate) fn has_changed(one: &FunctionDifference) -> bool {
    one.low_us > 0.0 || one.high_us < 0.0
}

/// The function that certainly grew, and by most; one without a name is none.
pub(crate) fn grown(functions: &[FunctionDifference]) -> Option<&FunctionDifference> {
    functions.iter().find(|one| one.low_us > 0.0 && one.function != UNNAMED)
}

/// Whether a difference is one: its interval does not contain 0.
pub(crate) fn is_clear(one: &LayerDifference) -> bool {
    one.low_us.zip(one.high_us).is_some_and(|(low, high)| low > 0.0 || high < 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    #[test]
    fn a_layer_on_one_side_only_is_0_on_the_other() {
        let why = mock::why(8);
        let found = differences(&why);
        let names: Vec<(&str, bool)> = found.iter().map(|it| (&*it.layer, is_clear(it))).collect();
        let expected = [
            ("all", true),
            ("kernel scheduling and locks", true),
            ("kernel memory", true),
            ("service", false),
        ];
        assert_eq!(names, expected);
        assert!((found[0].difference_us - 3.0).abs() < 0.1, "{found:?}");
        assert!((found[2].difference_us + 1.0).abs() < 1e-9, "{:?}", found[2]);
        assert!((found[1].difference_us - 4.0).abs() < 1e-9 && found[1].n == 8);
        assert!(differences(&mock::why(5)).iter().all(|one| one.low_us.is_none()), "too few");
    }

    #[test]
    fn samples_that_do_not_show_where_the_time_went_give_no_layers() {
        let mut why = mock::why(8);
        let mut with = |lost: u64, cut_share: f64| {
            for one in why.profiles.iter_mut().filter(|one| one.contender == "thread-pool") {
                (one.lost, one.cut_share) = (lost, cut_share);
            }
            let own = |name: &str| {
                let own = why.profiles.iter().filter(|one| one.contender == name);
                withheld(&own.collect::<Vec<_>>())
            };
            (why.flames[0].withheld, why.flames[1].withheld) =
                (own("event-loop"), own("thread-pool"));
            let found = differences(&why);
            (why.flames[1].withheld.clone(), found.len(), found[0].withheld.clone())
        };
        assert_eq!(with(50, 0.5), (None, 4, None));
        let lost = Some("8 % of the samples of thread-pool were lost, more than 5 %".to_owned());
        assert_eq!(with(90, 0.0), (lost.clone(), 1, lost), "the difference of all CPU stands");
        let cut = Some("60 % of the stacks of thread-pool are cut, more than 50 %".to_owned());
        assert_eq!(with(0, 0.6), (cut.clone(), 1, cut));
        assert_eq!(withheld(&[]), None);
    }

    #[test]
    fn functions_are_compared_by_their_own_time_and_all_intervals_hold_together() {
        let mut why = mock::why(8);
        let found = functions(&why);
        let names: Vec<(&str, bool)> =
            found.iter().map(|it| (&*it.function, has_changed(it))).collect();
        assert_eq!(names, [("futex_[k]", true), ("payment <b>", false)]);
        let first = &found[0];
        assert_eq!(first.path.as_deref(), Some("main;wait;futex_[k]"));
        assert_eq!(found[1].path.as_deref(), Some("main;serve;payment <b>"));
        assert!((first.difference_us - 4.0).abs() < 1e-9 && first.family == 2 && first.n == 8);
        assert!(first.low_us > 3.0 && first.high_us < 5.0, "{first:?}");
        assert_eq!(grown(&found), Some(first));
        assert_eq!(why.flames[1].functions[1].function, "futex_[k]");
        // One without a name cannot be named, whatever it grew by.
        for one in &mut why.profiles {
            one.functions =
                one.functions.iter().map(|(k, n)| (k.replace("futex_[k]", UNNAMED), *n)).collect();
        }
        let found = functions(&why);
        assert!(has_changed(&found[0]) && grown(&found).is_none(), "{found:?}");
        assert!(functions(&mock::why(5)).is_empty(), "too few rounds");
        why.profiles[0].lost = 1_000;
        assert!(functions(&why).is_empty(), "too many lost samples");
    }
}
