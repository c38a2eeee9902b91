//! What a right answer cost a contender: CPU by mode, waits for a core, context switches, page faults; and by layer.

use crate::judge::races::{Race, middle, races};
use crate::judge::why::{grown, has_changed, is_clear};
use crate::record::{
    Flame, LayerDifference, Profile, RunResult, ServerUsage, Verdict, Why, WhyLevel,
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
    let layers = result.why.iter().flat_map(layers);
    races(result).iter().map(counters).chain(layers).collect()
}

/// The layers in the order of their table.
pub(crate) const LAYERS: [&str; 8] = [
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
fn layers(why: &Why) -> Vec<Table> {
    let mut scenarios: Vec<&str> = why.flames.iter().map(|one| &*one.scenario).collect();
    scenarios.dedup();
    if scenarios.is_empty() {
        let row = [why.level.name().to_owned(), shows(why.level).to_owned()];
        let columns = ["profiler level", "what it shows"];
        let heading = "Where the CPU goes: not available";
        return vec![Table::new(heading, columns, 0..0, [row]).noted(next(why))];
    }
    let tables = |scenario: &str| {
        let functions = functions_of(why, scenario);
        std::iter::once(layers_of(why, scenario)).chain(functions).collect::<Vec<_>>()
    };
    scenarios.into_iter().flat_map(tables).collect()
}

fn layers_of(why: &Why, scenario: &str) -> Table {
    let (mut rows, mut qualities, mut level) = (Vec::new(), Vec::new(), "");
    for flame in why.flames.iter().filter(|flame| flame.scenario == scenario) {
        level = &flame.level;
        let medians = medians(why, flame);
        let us = |time: Option<f64>| or_withheld(time, three_digits);
        let mut row = vec![clean(&flame.contender), us(medians.as_ref().map(|it| it.all))];
        let layers = medians.and_then(|it| it.layers);
        row.extend((0..LAYERS.len()).map(|at| us(layers.map(|layers| layers[at]))));
        rows.push(row);
        qualities.push(quality(flame, &own(why, flame)));
    }
    let differences: Vec<&LayerDifference> =
        why.differences.iter().filter(|one| one.scenario == scenario).collect();
    let mut notes: Vec<String> = differences.chunk_by(|a, b| a.of == b.of).map(sentence).collect();
    let withheld = why.flames.iter().filter(|flame| flame.scenario == scenario);
    let withheld = withheld.filter_map(|flame| flame.withheld.as_ref());
    notes.extend(withheld.map(|reason| format!("Layers are withheld: {}.", clean(reason))));
    notes.extend(qualities);
    notes.push(format!("Profiler level: {} ({}).", why.level.name(), shows(why.level)));
    notes.extend(next(why));
    let columns = ["contender", "CPU us"].into_iter().chain(LAYERS);
    let (scenario, level) = (clean(scenario), clean(level));
    let heading = format!("Where the CPU of a correct response goes: {scenario} at {level}");
    Table::new(heading, columns, 1..2 + LAYERS.len(), rows).noted(notes)
}

/// What a contender's profiled rounds took of CPU for a correct response, us: medians.
pub(crate) struct Medians {
    pub(crate) all: f64,
    /// In the order of [`LAYERS`]; none where the flame says why they are withheld.
    pub(crate) layers: Option<[f64; LAYERS.len()]>,
}

/// None without a profiled round.
pub(crate) fn medians(why: &Why, flame: &Flame) -> Option<Medians> {
    let own = own(why, flame);
    let median = |of: &dyn Fn(&Profile) -> f64| middle(own.iter().map(|one| of(one)).collect());
    let layer = |name: &str| median(&|one| one.layers.get(name).copied().unwrap_or(0.0));
    let layers = LAYERS.map(|name| layer(name).unwrap_or(0.0));
    let all = median(&|one| one.cpu_us_per_request)?;
    Some(Medians { all, layers: flame.withheld.is_none().then_some(layers) })
}

fn own<'a>(why: &'a Why, flame: &Flame) -> Vec<&'a Profile> {
    let own = |one: &&Profile| one.scenario == flame.scenario && one.contender == flame.contender;
    why.profiles.iter().filter(own).collect()
}

/// `thread-pool: 8,012 samples in 8 profiled rounds, which cost 1.2 % more CPU than timed ones; 12 % of stacks are cut, ..`
fn quality(flame: &Flame, own: &[&Profile]) -> String {
    if own.is_empty() {
        return String::new();
    }
    let mean =
        |of: fn(&Profile) -> f64| own.iter().map(|one| of(one)).sum::<f64>() / own.len() as f64;
    let sum = |of: fn(&Profile) -> u64| own.iter().map(|one| of(one)).sum::<u64>() as f64;
    let counted_of = |of: fn(&Profile) -> Option<f64>, what: &str| {
        let middle = middle(own.iter().filter_map(|one| of(one)).collect());
        middle.map_or_else(String::new, |n| format!(", {} {what}", grouped(n)))
    };
    format!(
        "{}: {} samples in {}{}; {} of stacks are cut, {} of samples have no name, {} were lost{}{}.",
        clean(&flame.contender),
        grouped(sum(|one| one.samples)),
        counted(own.len(), "profiled round"),
        flame.overhead.map_or_else(String::new, |more| format!(", which cost {}", more_cpu(more))),
        percent(mean(|one| one.cut_share), 0),
        percent(mean(|one| one.unnamed_share), 0),
        grouped(sum(|one| one.lost)),
        counted_of(|one| one.syscalls_per_request, "system calls a correct response"),
        counted_of(|one| one.instructions_per_request, "instructions a correct response")
    )
}

/// `1.2 % more CPU than timed ones`
fn more_cpu(more: f64) -> String {
    let word = if more < 0.0 { "less" } else { "more" };
    format!("{} {word} CPU than timed ones", percent(more.abs(), 1))
}

/// What a profiler cost: `Profiled trials cost 0.3 % less to 1.2 % more CPU than timed ones.`
pub(crate) fn overheads(why: &Why) -> Option<String> {
    let mut found: Vec<f64> = why.flames.iter().filter_map(|flame| flame.overhead).collect();
    found.sort_by(f64::total_cmp);
    let (low, high) = (*found.first()?, *found.last()?);
    let low = if low < 0.0 { format!("{} less to ", percent(-low, 1)) } else { String::new() };
    Some(format!("Profiled trials cost {low}{}, contender by contender.", more_cpu(high)))
}

/// Functions of a contender that a table shows.
const FUNCTIONS: usize = 10;

/// What takes the time by itself, and what differs.
pub(crate) fn functions_of(why: &Why, scenario: &str) -> Vec<Table> {
    let flames = || why.flames.iter().filter(|flame| flame.scenario == scenario);
    let rows = flames().flat_map(|flame| {
        let name = clean(&flame.contender);
        flame.functions.iter().take(FUNCTIONS).map(move |one| {
            let (share, us) = (percent(one.share, 1), three_digits(one.us));
            [name.clone(), clean(&one.function), share, us]
        })
    });
    let rows: Vec<_> = rows.collect();
    let heading = format!("Functions by their own CPU: {}", clean(scenario));
    let columns = ["contender", "function", "share", "CPU us"];
    let mut tables = Vec::new();
    if !rows.is_empty() {
        tables.push(Table::new(&heading, columns, 2..4, rows).noted([OWN_NOTE.to_owned()]));
    }
    let differences = || why.functions.iter().filter(|one| one.scenario == scenario);
    let rows = differences().filter(|one| has_changed(one)).map(|one| {
        let [more, low, high] = [one.difference_us, one.low_us, one.high_us].map(three_digits);
        [clean(&one.function), clean(&one.of), clean(&one.versus), more, low, high]
    });
    let rows: Vec<_> = rows.collect();
    if let Some(first) = differences().next().filter(|_| !rows.is_empty()) {
        let heading = format!("Functions that differ: {}", clean(scenario));
        let columns = ["function", "contender", "than", "more us", "at least", "at most"];
        let note = format!(
            "All intervals of a pair hold together 99 times of 100: {} functions, {} rounds.",
            first.family, first.n
        );
        tables.push(Table::new(&heading, columns, 3..6, rows).noted([note]));
    }
    tables
}

const OWN_NOTE: &str = "Without what they called. Time in the kernel is of its entry point, `_[k]`. What has less than 0.1 % of every \
     contender's samples is pooled by module.";

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
    let (more, fewer) = if sign < 0.0 { ("less", "more") } else { ("more", "less") };
    if let Some(reason) = &all.withheld {
        return format!(
            "{} costs {} us {} {more} CPU than {versus}; by layer it is withheld: {} (n = {n}).",
            of,
            size(all),
            ends(all),
            clean(reason)
        );
    }
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

/// The sentence of each pair whose CPU clearly differs, and what the profiler cost.
pub(crate) fn sentences(result: &RunResult) -> Vec<String> {
    let concludes = result.verdict != Verdict::Invalid;
    let Some(why) = result.why.as_ref().filter(|_| concludes) else { return Vec::new() };
    let all: Vec<&LayerDifference> = why.differences.iter().collect();
    let pairs = all.chunk_by(|a, b| (&a.scenario, &a.of) == (&b.scenario, &b.of));
    pairs.filter(|pair| is_clear(pair[0])).map(sentence).chain(overheads(why)).collect()
}

/// Of a gate's profiled rounds: the function that grew, or why none can be named.
pub(crate) fn grown_sentence(why: &Why) -> String {
    if let Some(one) = grown(&why.functions) {
        let [more, low, high] = [one.difference_us, one.low_us, one.high_us].map(three_digits);
        let path = one.path.as_ref().map(|path| format!("; most often by {}", short(path)));
        return format!(
            "{} takes {more} us ({low} to {high}) more CPU for a correct response in {} than in {}{} ({} profiled rounds, {} functions, \
             all intervals at 99 % together).",
            clean(&one.function),
            clean(&one.of),
            clean(&one.versus),
            path.unwrap_or_default(),
            one.n,
            one.family
        );
    }
    let reason = why.flames.iter().find_map(|flame| flame.withheld.as_deref().map(clean));
    let reason = match (&*why.flames, &*why.functions) {
        ([], _) => format!("this machine shows a profiler {}", shows(why.level)),
        (_, []) => reason.unwrap_or_else(|| "there were fewer than six profiled rounds".into()),
        _ => "no function's interval lies above 0".into(),
    };
    format!("Cannot say which function grew: {reason}.")
}

/// The innermost functions of a stack: `.. > serve > payment`.
fn short(path: &str) -> String {
    const SHOWN: usize = 4;
    let names: Vec<&str> = path.split(';').collect();
    let from = names.len().saturating_sub(SHOWN);
    let dots = (from > 0).then_some("..");
    let names = dots.into_iter().chain(names[from..].iter().copied());
    names.map(clean).collect::<Vec<_>>().join(" > ")
}

fn counters(race: &Race<'_>) -> Table {
    let rows = race.entries.iter().map(|entry| {
        let figure =
            |(_, of): &Column| or_withheld(entry.middle(|trial| of(&trial.server)), three_digits);
        std::iter::once(clean(entry.name)).chain(COLUMNS.iter().map(figure)).collect::<Vec<_>>()
    });
    let columns = std::iter::once("contender").chain(COLUMNS.iter().map(|(name, _)| *name));
    let heading = format!("What a correct response cost: {}", place(race));
    Table::new(heading, columns, 1..1 + COLUMNS.len(), rows).noted([NOTE.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge;
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
        let overhead =
            "Profiled trials cost 1.2 % more CPU than timed ones, contender by contender.";
        assert_eq!(sentences(&result).pop().as_deref(), Some(overhead));
        let told = sentences(&result).remove(0);
        assert!(
            told.starts_with("Of the 3 us (2.99 to 3.01) more that thread-pool costs"),
            "{told}"
        );
        let parts =
            "4 (4 to 4) are kernel scheduling and locks; kernel memory takes 1 less (n = 8).";
        assert!(told.ends_with(parts), "{told}");
        result.words.push("--why".into());
        let [.., layers, functions, differ] = &grids(&result)[..] else { panic!("three tables") };
        assert_eq!((&*layers.rows[1][0], &*layers.rows[1][7]), ("thread-pool", "5"));
        assert_eq!(functions.rows[0][..2], ["event-loop", "payment <b>"]);
        assert_eq!(
            (differ.rows.len(), &*differ.rows[0][0], &*differ.rows[0][3]),
            (1, "futex_[k]", "4")
        );
        let notes = layers.notes.join(" ");
        assert!(notes.contains("which cost 1.2 % more CPU than timed ones"), "{notes}");
        assert!(notes.contains("4 system calls a correct response."), "{notes}");
        assert!(notes.contains("8,000 samples in 8 profiled rounds"), "{notes}");
        assert!(notes.contains("25 % of stacks are cut, 1 % of samples"), "{notes}");
        // Turned round it is as much less.
        for one in &mut result.why.as_mut().unwrap().differences {
            let (low, high) = (one.low_us.map(|us| -us), one.high_us.map(|us| -us));
            (one.difference_us, one.low_us, one.high_us) = (-one.difference_us, high, low);
        }
        let told = sentences(&result).remove(0);
        assert!(told.starts_with("Of the 3 us (2.99 to 3.01) less that thread-pool"), "{told}");
        let mut why = mock::why(8);
        let reason = "8 % of the samples of thread-pool were lost, more than 5 %";
        why.flames[1].withheld = Some(reason.into());
        why.differences = judge::why::differences(&why);
        result.why = Some(why);
        let told = sentences(&result).remove(0);
        let expected = format!(
            "thread-pool costs 3 us (2.99 to 3.01) more CPU than event-loop; by layer it is withheld: {reason} (n = 8)."
        );
        assert_eq!(told, expected);
        let layers = layers_of(result.why.as_ref().unwrap(), "payment-memory");
        assert_eq!((&*layers.rows[0][7], &*layers.rows[1][7]), ("1", "-"));
        result.why = Some(mock::why(5));
        assert_eq!(sentences(&result), [overhead], "no interval");
        let notes = layers_of(result.why.as_ref().unwrap(), "payment-memory").notes.join(" ");
        assert!(notes.contains("Cannot say from fewer than six rounds"), "{notes}");
        let why = result.why.as_mut().unwrap();
        (why.flames, why.level) = (Vec::new(), WhyLevel::CountersOnly);
        why.next = Some("sysctl kernel.perf_event_paranoid=1".into());
        let none = grids(&result).pop().unwrap();
        assert_eq!(none.rows[0][0], "counters only");
        assert!(none.notes[0].contains("perf_event_paranoid=1"), "{:?}", none.notes);
    }

    #[test]
    fn the_function_that_grew_is_named_or_the_reason_why_none_is() {
        let mut why = mock::why(8);
        let told = grown_sentence(&why);
        assert!(told.starts_with("futex_[k] takes 4 us (3."), "{told}");
        let more = "more CPU for a correct response in thread-pool than in event-loop; most often by main > wait > ";
        assert!(told.contains(more), "{told}");
        let one = &mut why.functions[0];
        one.path = Some("_start;main;a;b;c".into());
        assert!(grown_sentence(&why).contains("; most often by .. > main > a > b > c ("));
        why.functions[0].low_us = -1.0;
        let told = grown_sentence(&why);
        assert_eq!(told, "Cannot say which function grew: no function's interval lies above 0.");
        why.functions.clear();
        assert!(grown_sentence(&why).ends_with("fewer than six profiled rounds."));
        why.flames.clear();
        why.level = WhyLevel::CountersOnly;
        let told =
            "Cannot say which function grew: this machine shows a profiler counters, no stacks.";
        assert_eq!(grown_sentence(&why), told);
    }
}
