//! Where and under which load something was measured, in words.

use crate::judge::races::Race;
use crate::text::clean;
use crate::units::Rate;

/// `payment at 4,000/s`; without a workload of ours `at 4,000/s`
pub(crate) fn place(race: &Race<'_>) -> String {
    match race.dependency() {
        None if race.workload == "http" => load(race),
        Some(dependency) => {
            format!("{} {} behind {}", clean(race.workload), load(race), clean(dependency))
        }
        None => format!("{} {}", clean(race.workload), load(race)),
    }
}

/// `at 4,000/s`
pub(crate) fn load(race: &Race<'_>) -> String {
    let level = clean(race.level);
    if let Some((low, high)) = race.steps() {
        return match level.strip_suffix("% own") {
            Some(_) => "in steps, of each one's own ceiling".to_owned(),
            None => format!("in steps from {} to {}", Rate(low), Rate(high)),
        };
    }
    match (level.strip_suffix("% own"), race.offered_rps()) {
        _ if level == "closed" => "in closed loop".to_owned(),
        (Some(share), _) => format!("at {share}% of each one's own ceiling"),
        (None, Some(rate)) if level.ends_with('%') => format!("at {level} ({})", Rate(rate)),
        _ => format!("at {level}"),
    }
}
