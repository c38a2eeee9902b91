//! What of a run can be divided into shards: whole rounds, each as the whole run would do it. [`crate::run::merge`] joins them.

use crate::error::{Error, Result};
use crate::record::Shard;
use crate::run::Request;
use crate::scenario::{Contender, Experiments, Scenario, Server};
use crate::text::{counted, listed};

/// Whether a run can be divided so.
///
/// # Errors
/// Usage, with what cannot be divided and why.
pub(crate) fn check(shard: Shard, request: &Request) -> Result<()> {
    let [scenario] = &request.scenarios[..] else {
        return Err(Error::usage(format!(
            "--shard {shard} is of one scenario, and this is {}",
            request.name
        ))
        .help("name one scenario; `bakeoff list` shows the built-in ones"));
    };
    if request.order_seed.is_none() && !request.resume {
        return Err(Error::usage(format!("--shard {shard} needs --order-seed")).help(
            "give every shard the same number, for example --order-seed 7: it sets the order of the trials in each round",
        ));
    }
    if request.budget.is_some() {
        return Err(Error::usage(
            "--budget leaves out rounds, and the rounds of a shard are given",
        )
        .help("leave one of --shard and --budget out; --rounds makes the whole run shorter"));
    }
    if request.words.iter().any(|word| word == "--why") {
        return Err(Error::usage("--why profiles in rounds of its own, and no shard has these")
            .help("leave one of --shard and --why out"));
    }
    if let Some(why) = indivisible(scenario) {
        return Err(Error::usage(format!(
            "{} cannot be divided into shards: {why}",
            scenario.name
        ))
        .help("shards are whole rounds of `compare` and `curve`; run the rest on one machine"));
    }
    let (rounds, of) = (scenario.rounds, shard.of());
    if rounds < of {
        return Err(Error::usage(format!(
            "{of} shards of {} leave some without any",
            counted(rounds as usize, "round")
        ))
        .help(format!("give --rounds {of} or more, or {rounds} shards or fewer")));
    }
    Ok(())
}

/// Why a scenario is one machine's whole.
fn indivisible(scenario: &Scenario) -> Option<String> {
    let Experiments { capacity, map, footprint, .. } = &scenario.experiments;
    let server = scenario.store.dependency().map(|dependency| &dependency.server);
    let url = scenario.contenders.iter().find(|contender| contender.is_url());
    let named = |Contender { name, .. }: &Contender| {
        format!(
            "`{name}` is given by URL, and nothing shows that each machine has the same program"
        )
    };
    let reasons = [
        capacity
            .is_some()
            .then(|| "each step of a `capacity` search depends on those before it".into()),
        map.is_some().then(|| "the cells of a `map` are judged together, and are no rounds".into()),
        footprint.is_some().then(|| "a `footprint` has no rounds".into()),
        scenario
            .hosts
            .roles
            .is_some()
            .then(|| "it runs on several hosts, and a shard is what one machine does".into()),
        url.map(named),
        matches!(server, Some(Server::Postgres { url: Some(_) })).then(|| {
            "its database is given by URL, and shards would disturb each other there".into()
        }),
    ];
    reasons.into_iter().flatten().next()
}

/// Whether shards can be told by their machines.
///
/// # Errors
/// When this one has no boot id.
pub(crate) fn check_machine(shard: Option<Shard>, boot_id: &str) -> Result<()> {
    match shard.filter(|_| boot_id.is_empty()) {
        None => Ok(()),
        Some(shard) => Err(Error::usage(format!(
            "shard {shard} cannot run here: /proc/sys/kernel/random/boot_id cannot be read, by which machines are \
             distinguished"
        ))),
    }
}

/// `shard 2/3: rounds 2, 5 and 8 of 9; ..`
pub(crate) fn told(shard: Shard, rounds: u32) -> String {
    let own: Vec<u32> = (1..=rounds).filter(|round| shard.has(*round)).collect();
    format!(
        "shard {shard}: {} of {rounds}; `bakeoff merge` joins and judges all shards",
        named(&own)
    )
}

/// `rounds 2, 5 and 8`
pub(crate) fn named(rounds: &[u32]) -> String {
    let numbers: Vec<String> = rounds.iter().map(u32::to_string).collect();
    format!("round{} {}", if rounds.len() == 1 { "" } else { "s" }, listed(&numbers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::builtin;
    use crate::units::Nanos;

    fn request(name: &str) -> Request {
        Request { order_seed: Some(7), ..Request::of(builtin(name).unwrap()) }
    }

    fn refused(request: &Request, shard: &str) -> String {
        check(shard.parse().unwrap(), request).unwrap_err().to_string()
    }

    #[test]
    fn rounds_of_compare_and_curve_are_divided() {
        for name in ["payment-memory", "curve-payment-50ms"] {
            check("2/3".parse().unwrap(), &request(name)).unwrap();
        }
        let resumed = Request { order_seed: None, resume: true, ..request("payment-memory") };
        check("1/2".parse().unwrap(), &resumed).unwrap();
    }

    #[test]
    fn what_cannot_be_divided_is_refused_with_the_reason() {
        for (name, why) in [
            ("capacity-payment", "each step of a `capacity` search"),
            ("map-cpu-wait", "the cells of a `map`"),
        ] {
            let said = refused(&request(name), "1/2");
            assert!(
                said.contains(&format!("{name} cannot be divided into shards: {why}")),
                "{said}"
            );
        }
        let memory = || request("payment-memory");
        let many = refused(&memory(), "1/11");
        assert!(many.contains("11 shards of 10 rounds leave some without any"), "{many}");
        let unseeded = Request { order_seed: None, ..memory() };
        let said = refused(&unseeded, "1/2");
        assert!(said.contains("needs --order-seed") && said.contains("the same number"), "{said}");
        let budget = Request { budget: Some(Nanos::SECOND), ..memory() };
        assert!(refused(&budget, "1/2").contains("--budget leaves out rounds"));
        let why = Request { words: vec!["--why".into()], ..memory() };
        assert!(refused(&why, "1/2").contains("--why profiles in rounds of its own"));
        let tour = Request {
            name: "tour".into(),
            scenarios: crate::scenario::tour().into(),
            order_seed: Some(7),
            ..Request::default()
        };
        assert!(refused(&tour, "1/2").contains("of one scenario, and this is tour"));
    }

    #[test]
    fn a_shard_says_which_rounds_it_has() {
        let said = told("2/3".parse().unwrap(), 9);
        assert!(said.starts_with("shard 2/3: rounds 2, 5 and 8 of 9; `bakeoff merge`"), "{said}");
        assert!(told("3/3".parse().unwrap(), 3).starts_with("shard 3/3: round 3 of 3"));
    }

    #[test]
    fn a_machine_without_a_boot_id_runs_no_shard() {
        check_machine(None, "").unwrap();
        check_machine("1/2".parse().ok(), "a").unwrap();
        let said = check_machine("1/2".parse().ok(), "").unwrap_err().to_string();
        assert!(said.contains("boot_id"), "{said}");
    }
}
