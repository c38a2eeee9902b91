//! Which layers make the difference between two contenders' CPU, from profiled rounds.

use crate::record::{Flame, LayerDifference, Profile, Why};
use crate::stats::{self, Better};

/// Of an interval by itself.
const CONFIDENCE: f64 = 0.95;
/// What stands for all layers together.
pub(crate) const ALL: &str = "all";

/// Each contender against the first one of its scenario, paired by round; the largest differences first, after that of all
/// layers together.
pub(crate) fn differences(why: &Why) -> Vec<LayerDifference> {
    let mut found = Vec::new();
    for (place, first) in why.flames.iter().enumerate() {
        if why.flames[..place].iter().any(|flame| flame.scenario == first.scenario) {
            continue;
        }
        let others = why.flames[place + 1..].iter().filter(|one| one.scenario == first.scenario);
        for of in others {
            let of_first = |round| rounds(why, first).find(|one| one.round == round);
            let pairs: Vec<(&Profile, &Profile)> =
                rounds(why, of).filter_map(|one| Some((one, of_first(one.round)?))).collect();
            let mut names: Vec<&String> =
                pairs.iter().flat_map(|(a, b)| a.layers.keys().chain(b.layers.keys())).collect();
            names.sort_unstable();
            names.dedup();
            let layer = |name: &str, cost: &dyn Fn(&Profile) -> f64| {
                let (a, b): (Vec<f64>, Vec<f64>) =
                    pairs.iter().map(|(a, b)| (cost(a), cost(b))).unzip();
                let more = stats::ratio_of(&a, &b, Better::Less, CONFIDENCE)?.difference;
                Some(LayerDifference {
                    scenario: first.scenario.clone(),
                    level: first.level.clone(),
                    of: of.contender.clone(),
                    versus: first.contender.clone(),
                    layer: name.to_owned(),
                    difference_us: more.value,
                    low_us: more.interval.map(|interval| interval.low),
                    high_us: more.interval.map(|interval| interval.high),
                    n: more.n as u32,
                })
            };
            // What is on one side only costs the other nothing.
            let each = names.iter().filter_map(|name| {
                layer(name, &|profile| profile.layers.get(*name).copied().unwrap_or(0.0))
            });
            let mut each: Vec<LayerDifference> = each.collect();
            each.sort_by(|a, b| b.difference_us.abs().total_cmp(&a.difference_us.abs()));
            found.extend(layer(ALL, &|profile| profile.cpu_us_per_request));
            found.extend(each);
        }
    }
    found
}

fn rounds<'a>(why: &'a Why, of: &'a Flame) -> impl Iterator<Item = &'a Profile> {
    let own = move |one: &&Profile| one.scenario == of.scenario && one.contender == of.contender;
    why.profiles.iter().filter(own)
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
}
