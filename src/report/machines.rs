//! On how many machines a run holds, and which these are.

use crate::record::{Fingerprint, Machine, RunResult};
use crate::text::{clean, counted, listed};
use crate::units::{Nanos, Rate, bytes, grouped, three_digits};

/// `3 machines`; nothing of a run that was not divided.
pub(crate) fn count(result: &RunResult) -> Option<String> {
    let n = result.machines.len();
    (n > 0).then(|| counted(n, "machine"))
}

/// A finding with the machines on which it holds: `.., on 3 machines.`
pub(super) fn placed(result: &RunResult, sentence: String) -> String {
    match count(result) {
        Some(machines) => format!("{}, on {machines}.", sentence.trim_end_matches('.')),
        None => sentence,
    }
}

/// What stands before the number of valid trials: `On 3 machines, 8 of 12 rounds: `
pub(super) fn before(result: &RunResult) -> String {
    let ran: usize = result.machines.iter().map(|machine| machine.rounds.len()).sum();
    match count(result) {
        None => String::new(),
        Some(machines) if ran == result.rounds as usize => format!("On {machines}: "),
        Some(machines) => format!("On {machines}, {ran} of {} rounds: ", result.rounds),
    }
}

/// The CPU's name; of a run that was joined also how many machines there are: `3 machines with AMD EPYC 7B13`.
pub(crate) fn cpu(result: &RunResult) -> String {
    let name = |print: &Fingerprint| clean(&print.cpu_model);
    let Some(machines) = count(result) else { return name(&result.fingerprint) };
    let mut names: Vec<String> =
        result.machines.iter().map(|machine| name(&machine.fingerprint)).collect();
    names.sort();
    names.dedup();
    format!("{machines} with {}", listed(&names))
}

/// Of the machine, or of each.
pub(super) fn lines(result: &RunResult) -> Vec<String> {
    match result.machines.is_empty() {
        true => vec![machine(&result.fingerprint)],
        false => (1..).zip(&result.machines).map(|(n, one)| line(n, one)).collect(),
    }
}

/// `2 cores, AMD EPYC 7B13, 7.78 GiB, Linux 6.8.0`
fn machine(print: &Fingerprint) -> String {
    let mut machine = format!(
        "{}, {}, {}, Linux {}",
        counted(print.cores as usize, "core"),
        clean(&print.cpu_model),
        bytes(print.memory_bytes as f64),
        clean(&print.kernel)
    );
    if let Some(governor) = &print.governor {
        machine += &format!(", governor {}", clean(governor));
    }
    if let Some(quota) = print.cpu_quota {
        machine += &format!(", quota of {} cores", three_digits(quota));
    }
    machine
}

fn line(n: usize, one: &Machine) -> String {
    let rounds: Vec<String> = one.rounds.iter().map(u32::to_string).collect();
    let shards: Vec<String> = one.shards.iter().map(|shard| clean(shard)).collect();
    let list = |what: &str, items: &[String]| match items {
        [] => format!("no {what}"),
        [only] => format!("{what} {only}"),
        several => format!("{what}s {}", listed(several)),
    };
    let mut parts = vec![
        format!("Machine {n}: {}", machine(&one.fingerprint)),
        list("shard", &shards),
        list("round", &rounds),
    ];
    if one.signature_rounds > 0 {
        parts.push(format!(
            "signature measured {} ({} SHA-256 rounds)",
            Nanos(one.request_cpu_measured_ns),
            grouped(f64::from(one.signature_rounds))
        ));
    }
    let closed = one.ceilings.iter().filter_map(|ceiling| {
        Some(format!("{} {}", clean(&ceiling.contender), Rate(ceiling.closed_rps?)))
    });
    let closed: Vec<String> = closed.collect();
    parts.extend((!closed.is_empty()).then(|| format!("in closed loop {}", closed.join(", "))));
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::report::{charts, note, setting, summary};

    #[test]
    fn every_output_says_on_how_many_machines_it_holds() {
        let mut result = mock::payments(8, &mock::MODELS[..2]);
        result.rounds = 12;
        let machine = |shard: &str, rounds: &[u32], rps| Machine {
            fingerprint: result.fingerprint.clone(),
            shards: vec![shard.to_owned()],
            rounds: rounds.to_vec(),
            request_cpu_measured_ns: 20_400,
            signature_rounds: 148,
            ceilings: vec![crate::record::Ceiling {
                contender: "event-loop".into(),
                closed_rps: Some(rps),
                ..Default::default()
            }],
        };
        result.machines =
            vec![machine("1/3", &[1, 4, 7, 10], 9e3), machine("2/3", &[2, 5, 8, 11], 7e3)];
        let text = summary::text(&result, None, true);
        let text = anstream::adapter::strip_str(&text).to_string();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for output in [text, summary::markdown(&result), summary::html(&result)] {
            assert!(output.contains(", on 2 machines."), "{output}");
            assert!(output.contains("On 2 machines, 8 of 12 rounds: 16 of 16 trials"), "{output}");
            let second = "shard 2/3; rounds 2, 5, 8 and 11; signature measured 20.4 us";
            assert!(output.contains(second), "{output}");
            assert!(output.contains("in closed loop event-loop 7,000/s"), "{output}");
            assert!(!output.contains("loopback on one machine"), "{output}");
        }
        let picture = &charts::pictures(&result)[0];
        let note = note::note(&result, picture, "", "a.png");
        assert!(note.contains("on 2 machines with AMD EPYC 7B13"), "{note}");
        let svg = picture.svg(charts::Shade::Light, charts::Size::Blog);
        assert!(svg.contains("2 machines of 2 cores"), "{svg}");
        assert!(setting::reproduction(&result).contains("--shard I/3"));
    }

    #[test]
    fn machines_are_counted_only_where_shards_were_joined() {
        let mut result = mock::payments(6, &mock::MODELS[..2]);
        let markdown = summary::markdown(&result);
        assert!(!markdown.contains("machines") && !markdown.contains("on 1 machine"), "{markdown}");
        result.machines = vec![Machine { rounds: (1..=6).collect(), ..Machine::default() }];
        let markdown = summary::markdown(&result);
        assert!(markdown.contains(", on 1 machine.") && markdown.contains("On 1 machine: "));
    }
}
