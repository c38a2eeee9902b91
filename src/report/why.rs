//! What a right answer cost a contender: CPU by mode, waits for a core, context switches, page faults; and by layer.

use crate::judge::races::{Race, middle, races};
use crate::judge::why::is_clear;
use crate::record::{
    LayerDifference, Profile, RunResult, ServerUsage, Trial, Verdict, Why, WhyLevel,
};
use crate::report::document::Table;
use crate::report::format::place;
use crate::text::{clean, counted, listed, or_withheld, percent};
use crate::units::{grouped, three_digits};

/// A column and its figure of a trial.
type Column = (&'static str, fn(&ServerUsage) -> Option<f64>);

const COLUMNS: [Column; 8] = [
    ("CPU us", |server| server.cpu_us_per_request),
    ("user us", |server| server.user_us_per_request),
    ("system us", |server| server.system_us_per_request),
    ("run queue us", |server| server.run_queue_us_per_request),
    ("voluntary switches", |server| server.switches_voluntary_per_request),
    ("involuntary", |server| server.switches_involuntary_per_request),
    ("minor faults", |server| server.faults_minor_per_request),
    ("major", |server| server.faults_major_per_request),
];

const NOTE: &str = "Medians of the rounds. CPU and page faults are of the window. The run queue (ready to run, and another \
     had the core) and context switches are of the load up to the window's end, with its warm-up. Waiting is not CPU.";

/// A table for each race, where `--why` asked for them, and one for each scenario that was profiled.
pub(crate) fn grids(result: &RunResult) -> Vec<Table> {
    if !result.words.iter().any(|word| word == "--why") {
        return Vec::new();
    }
    let layers = result.why.iter().flat_map(|why| layers(result, why));
    races(result).iter().map(counters).chain(layers).collect()
}

/// The layers in the order of their table.
const LAYERS: [&str; 8] = [
    "service",
    "HTTP",
    "runtime",
    "allocator",
    "kernel network",
    "kernel scheduling and locks",
    "kernel memory",
    "unknown",
];

/// A table of layers for each scenario that was profiled; else what hinders it.
fn layers(result: &RunResult, why: &Why) -> Vec<Table> {
    let mut scenarios: Vec<&str> = why.flames.iter().map(|one| &*one.scenario).collect();
    scenarios.dedup();
    if scenarios.is_empty() {
        let row = [why.level.name().to_owned(), shows(why.level).to_owned()];
        let columns = ["profiler level", "what it shows"];
        let heading = "Where the CPU goes: not available";
        return vec![Table::new(heading, columns, 0..0, [row]).noted(next(why))];
    }
    scenarios.into_iter().map(|scenario| layers_of(result, why, scenario)).collect()
}

fn layers_of(result: &RunResult, why: &Why, scenario: &str) -> Table {
    let (mut rows, mut qualities, mut level) = (Vec::new(), Vec::new(), "");
    for flame in why.flames.iter().filter(|flame| flame.scenario == scenario) {
        level = &flame.level;
        let own = |one: &&Profile| one.scenario == scenario && one.contender == flame.contender;
        let own: Vec<&Profile> = why.profiles.iter().filter(own).collect();
        let median = |of: &dyn Fn(&Profile) -> f64| {
            or_withheld(middle(own.iter().map(|one| of(one)).collect()), three_digits)
        };
        let mut row = vec![clean(&flame.contender), median(&|one| one.cpu_us_per_request)];
        row.extend(
            LAYERS.map(|layer| median(&|one| one.layers.get(layer).copied().unwrap_or(0.0))),
        );
        rows.push(row);
        qualities.push(quality(result, &own));
    }
    let differences: Vec<&LayerDifference> =
        why.differences.iter().filter(|one| one.scenario == scenario).collect();
    let mut notes: Vec<String> = differences.chunk_by(|a, b| a.of == b.of).map(sentence).collect();
    notes.extend(qualities);
    notes.push(format!("Profiler level: {} ({}).", why.level.name(), shows(why.level)));
    notes.extend(next(why));
    let columns = ["contender", "CPU us"].into_iter().chain(LAYERS);
    let (scenario, level) = (clean(scenario), clean(level));
    let heading = format!("Where the CPU of a right answer goes: {scenario} at {level}");
    Table::new(heading, columns, 1..2 + LAYERS.len(), rows).noted(notes)
}

/// `thread-pool: 8,012 samples in 8 profiled rounds, which cost 1.2 % more CPU than timed ones; 12 % of stacks are cut, ..`
fn quality(result: &RunResult, own: &[&Profile]) -> String {
    let Some(first) = own.first() else { return String::new() };
    let mean =
        |of: fn(&Profile) -> f64| own.iter().map(|one| of(one)).sum::<f64>() / own.len() as f64;
    let timed = |trial: &&Trial| {
        (&trial.scenario, &trial.contender, &trial.level)
            == (&first.scenario, &first.contender, &first.level)
            && !trial.voided
    };
    let timed = result.trials.iter().filter(timed);
    let timed = middle(timed.filter_map(|trial| trial.server.cpu_us_per_request).collect());
    let profiled = middle(own.iter().map(|one| one.cpu_us_per_request).collect());
    let price = profiled.zip(timed).map(|(profiled, timed)| {
        let more = profiled / timed - 1.0;
        let word = if more < 0.0 { "less" } else { "more" };
        format!(", which cost {} {word} CPU than timed ones", percent(more.abs(), 1))
    });
    let sum = |of: fn(&Profile) -> u64| own.iter().map(|one| of(one)).sum::<u64>() as f64;
    format!(
        "{}: {} samples in {}{}; {} of stacks are cut, {} of samples have no name, {} were lost.",
        clean(&first.contender),
        grouped(sum(|one| one.samples)),
        counted(own.len(), "profiled round"),
        price.unwrap_or_default(),
        percent(mean(|one| one.cut_share), 0),
        percent(mean(|one| one.unnamed_share), 0),
        grouped(sum(|one| one.lost))
    )
}

fn shows(level: WhyLevel) -> &'static str {
    match level {
        WhyLevel::Full => "stacks of programs and of the kernel",
        WhyLevel::UserOnly => "stacks of programs, none of the kernel",
        WhyLevel::CountersOnly => "counters, no stacks",
        WhyLevel::Nothing => "nothing",
    }
}

fn next(why: &Why) -> Option<String> {
    why.next.as_ref().map(|next| format!("The next level: {}.", clean(next)))
}

/// `Of the 3.9 us (3.7 to 4.1) more that thread-pool costs than event-loop, 2.4 (2.2 to 2.6) are kernel scheduling and
/// locks (n = 8).`
pub(crate) fn sentence(differences: &[&LayerDifference]) -> String {
    let [all, layers @ ..] = differences else { return String::new() };
    let (of, versus, n) = (clean(&all.of), clean(&all.versus), all.n);
    if !is_clear(all) {
        let rounds = if n < 6 { " from fewer than six rounds" } else { "" };
        return format!("Cannot say{rounds} whether {of} costs more CPU than {versus} (n = {n}).");
    }
    let sign = all.difference_us.signum();
    let ends = |one: &LayerDifference| {
        let ends = one.low_us.zip(one.high_us).unwrap_or_default();
        let (low, high) = if sign < 0.0 { (-ends.1, -ends.0) } else { ends };
        format!("({} to {})", three_digits(low), three_digits(high))
    };
    let size = |one: &LayerDifference| three_digits(one.difference_us.abs());
    let clear = |towards: f64| {
        let same = move |one: &&&LayerDifference| one.difference_us * sign * towards > 0.0;
        layers.iter().filter(|one| is_clear(one)).filter(same)
    };
    let mut parts: Vec<String> = clear(1.0)
        .map(|one| format!("{} {} {}", size(one), ends(one), clean(&one.layer)))
        .collect();
    match parts.first_mut().and_then(|first| Some((first.find(')')? + 1, first))) {
        Some((after, first)) => first.insert_str(after, " are"),
        None => parts.push("none can be given to a layer".into()),
    }
    let (more, fewer) = if sign < 0.0 { ("less", "more") } else { ("more", "less") };
    let against =
        clear(-1.0).map(|one| format!("; {} takes {} {fewer}", clean(&one.layer), size(one)));
    let against: String = against.collect();
    format!(
        "Of the {} us {} {more} that {of} costs than {versus}, {}{against} (n = {n}).",
        size(all),
        ends(all),
        listed(&parts)
    )
}

/// The sentence of each pair whose CPU clearly differs.
pub(crate) fn sentences(result: &RunResult) -> Vec<String> {
    let concludes = result.verdict != Verdict::Invalid;
    let Some(why) = result.why.as_ref().filter(|_| concludes) else { return Vec::new() };
    let all: Vec<&LayerDifference> = why.differences.iter().collect();
    let pairs = all.chunk_by(|a, b| (&a.scenario, &a.of) == (&b.scenario, &b.of));
    pairs.filter(|pair| is_clear(pair[0])).map(sentence).collect()
}

fn counters(race: &Race<'_>) -> Table {
    let rows = race.entries.iter().map(|entry| {
        let figure =
            |(_, of): &Column| or_withheld(entry.middle(|trial| of(&trial.server)), three_digits);
        std::iter::once(clean(entry.name)).chain(COLUMNS.iter().map(figure)).collect::<Vec<_>>()
    });
    let columns = std::iter::once("contender").chain(COLUMNS.iter().map(|(name, _)| *name));
    let heading = format!("What a right answer cost: {}", place(race));
    Table::new(heading, columns, 1..1 + COLUMNS.len(), rows).noted([NOTE.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    #[test]
    fn counters_are_shown_where_they_are_asked_for() {
        let mut result = mock::payments(6, &mock::MODELS[..2]);
        assert!(grids(&result).is_empty());
        result.words.push("--why".into());
        result.trials.iter_mut().for_each(|trial| trial.server.run_queue_us_per_request = None);
        let [grid] = &grids(&result)[..] else { panic!("one race") };
        assert_eq!(grid.columns.len(), 9);
        let row = &grid.rows[0];
        assert_eq!(row[4], "-", "not known, and not 0");
        assert_eq!((&*row[5], &*row[8]), ("0.95", "0"));
    }

    #[test]
    fn the_difference_of_two_contenders_is_told_by_layer_or_not_at_all() {
        let mut result = mock::payments(6, &mock::MODELS);
        assert!(sentences(&result).is_empty());
        result.why = Some(mock::why(8));
        let told = sentences(&result).remove(0);
        assert!(
            told.starts_with("Of the 3 us (2.99 to 3.01) more that thread-pool costs"),
            "{told}"
        );
        let parts =
            "4 (4 to 4) are kernel scheduling and locks; kernel memory takes 1 less (n = 8).";
        assert!(told.ends_with(parts), "{told}");
        result.words.push("--why".into());
        let layers = grids(&result).pop().unwrap();
        assert_eq!((&*layers.rows[1][0], &*layers.rows[1][7]), ("thread-pool", "5"));
        let notes = layers.notes.join(" ");
        assert!(notes.contains("8,000 samples in 8 profiled rounds"), "{notes}");
        assert!(notes.contains("25 % of stacks are cut, 1 % of samples"), "{notes}");
        // Turned round it is as much less.
        for one in &mut result.why.as_mut().unwrap().differences {
            let (low, high) = (one.low_us.map(|us| -us), one.high_us.map(|us| -us));
            (one.difference_us, one.low_us, one.high_us) = (-one.difference_us, high, low);
        }
        let told = sentences(&result).remove(0);
        assert!(told.starts_with("Of the 3 us (2.99 to 3.01) less that thread-pool"), "{told}");
        result.why = Some(mock::why(5));
        assert!(sentences(&result).is_empty(), "no interval");
        let notes = grids(&result).pop().unwrap().notes.join(" ");
        assert!(notes.contains("Cannot say from fewer than six rounds"), "{notes}");
        let why = result.why.as_mut().unwrap();
        (why.flames, why.level) = (Vec::new(), WhyLevel::CountersOnly);
        why.next = Some("sysctl kernel.perf_event_paranoid=1".into());
        let none = grids(&result).pop().unwrap();
        assert_eq!(none.rows[0][0], "counters only");
        assert!(none.notes[0].contains("perf_event_paranoid=1"), "{:?}", none.notes);
    }
}
