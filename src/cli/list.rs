//! `bakeoff list`: the built-in scenarios and the models.

use serde_json::json;

use super::{Format, print};
use crate::backend::model::Model;
use crate::error::Result;
use crate::load::plan::Operation;
use crate::report::document::Table;
use crate::report::terminal::wrapped;
use crate::report::{markdown, terminal};
use crate::scenario::{self, BUILTIN, LoadKind, Scenario};
use crate::units::{Nanos, grouped};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff list
  bakeoff list --format json | jq -r '.scenarios[].name'

Exit codes: 0 listed, 2 bad flag")]
pub(crate) struct Args {
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        let scenarios: Vec<Scenario> =
            BUILTIN.iter().filter_map(|(name, _)| scenario::builtin(name)).collect();
        print(&match self.format {
            Format::Text => text(&scenarios),
            Format::Json => json(&scenarios),
            Format::Markdown => markdown(&scenarios),
        })?;
        Ok(0)
    }
}

const SCENARIO_HEAD: [&str; 6] = ["scenario", "workload", "load", "levels", "contenders", "takes"];
const MODEL_HEAD: [&str; 3] = ["model", "style", "what it is"];

fn text(scenarios: &[Scenario]) -> String {
    let mut out = String::new();
    for one in scenarios {
        let [name, workload, load, levels, contenders, takes] = row(one);
        let rounds = one.rounds;
        out.push_str(&format!("{name}\n"));
        let about = format!("{workload}: {load} at {levels}; {rounds} rounds, {takes}");
        for line in [&one.title, &about, &contenders] {
            out.push_str(&wrapped(&format!("  {line}"), "  "));
            out.push('\n');
        }
        out.push('\n');
    }
    out.push_str(&terminal::grid(&models()));
    out.push_str("\nbakeoff run SCENARIO runs one; bakeoff run alone is the tour.\n");
    out
}

fn markdown(scenarios: &[Scenario]) -> String {
    let scenarios = Table::new("", SCENARIO_HEAD, 0..0, scenarios.iter().map(row));
    format!("{}\n{}", markdown::grid(&scenarios), markdown::grid(&models()))
}

fn models() -> Table {
    let row = |model: Model| [model.name(), style(model), what(model)].map(str::to_owned);
    Table::new("", MODEL_HEAD, 0..0, models_shown().map(row))
}

fn json(scenarios: &[Scenario]) -> String {
    let scenarios: Vec<_> = scenarios
        .iter()
        .map(|one| {
            json!({
                "name": one.name,
                "title": one.title,
                "workload": one.workload.name(),
                "requests": one.mix.iter().map(|(kind, _)| kind.name()).collect::<Vec<_>>(),
                "load": load_name(one),
                "levels": one.rates.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "contenders": contender_names(one),
                "rounds": one.rounds,
                "self_check": one.self_check,
                "estimate_s": one.estimate().as_secs_f64().round(),
                "fingerprint": scenario::fingerprint(one),
            })
        })
        .collect();
    let models: Vec<_> = models_shown()
        .map(|one| json!({ "name": one.name(), "style": style(one), "what": what(one) }))
        .collect();
    let list = json!({ "scenarios": scenarios, "models": models });
    format!("{list:#}\n")
}

/// One scenario's cells, under [`SCENARIO_HEAD`].
fn row(scenario: &Scenario) -> [String; 6] {
    let mix: Vec<String> = scenario.mix.iter().map(|(kind, weight)| mixed(kind, *weight)).collect();
    let mut levels: Vec<String> = scenario.rates.iter().map(ToString::to_string).collect();
    levels.extend(experiments(scenario).into_iter().map(str::to_owned));
    [
        scenario.name.clone(),
        scenario.workload.name().to_owned(),
        format!("{} {}", load_name(scenario), mix.join(" and ")),
        if levels.is_empty() { "maximum throughput".to_owned() } else { levels.join(", ") },
        contender_names(scenario).join(", "),
        about(scenario.estimate()),
    ]
}

/// The experiments that choose their own trials.
fn experiments(scenario: &Scenario) -> Vec<&'static str> {
    let capacity = scenario.experiments.capacity.map(|_| "its capacity");
    let map = scenario.experiments.map.as_ref().map(|_| "a map");
    capacity.into_iter().chain(map).collect()
}

/// `payment`, `distribution of 1,000`, `199 account-read`.
fn mixed(operation: &Operation, weight: u32) -> String {
    let count = if weight == 1 { String::new() } else { format!("{weight} ") };
    match operation {
        Operation::Distribution { accounts } => {
            format!("{count}distribution of {}", grouped(f64::from(*accounts)))
        }
        other => format!("{count}{}", other.name()),
    }
}

fn contender_names(scenario: &Scenario) -> Vec<&str> {
    scenario.contenders.iter().map(|contender| contender.name.as_str()).collect()
}

fn load_name(scenario: &Scenario) -> &'static str {
    match scenario.load.kind {
        LoadKind::Open(_) => "open",
        LoadKind::Closed => "closed",
    }
}

/// `about 45 s`, `about 6 min`: an estimate deserves no more digits.
fn about(time: Nanos) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 100.0 {
        format!("about {:.0} s", (seconds / 5.0).ceil() * 5.0)
    } else {
        format!("about {:.0} min", seconds / 60.0)
    }
}

/// The four that are raced, and the control.
fn models_shown() -> impl Iterator<Item = Model> {
    Model::RACED.into_iter().chain([Model::Null])
}

fn style(model: Model) -> &'static str {
    match model {
        Model::EventLoop | Model::WorkStealing => "async",
        Model::ThreadPerConnection | Model::ThreadPool => "threaded",
        Model::Null => "neither",
    }
}

fn what(model: Model) -> &'static str {
    match model {
        Model::EventLoop => "tokio on one thread, scheduled as in Node.js",
        Model::WorkStealing => "tokio on several threads, scheduled as in Go",
        Model::ThreadPerConnection => "an OS thread for every connection, blocking reads",
        Model::ThreadPool => "a fixed number of OS threads on one epoll set",
        Model::Null => "the control: the same response to every request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenarios() -> Vec<Scenario> {
        BUILTIN.iter().filter_map(|(name, _)| scenario::builtin(name)).collect()
    }

    #[test]
    fn every_format_names_every_scenario_and_model() {
        let scenarios = scenarios();
        for list in [text(&scenarios), json(&scenarios), markdown(&scenarios)] {
            for name in BUILTIN.iter().map(|(name, _)| *name).chain(models_shown().map(Model::name))
            {
                assert!(list.contains(name), "{name} is not in\n{list}");
            }
            assert!(list.ends_with('\n'));
        }
    }

    #[test]
    fn the_text_fits_a_hundred_columns_and_the_json_is_json() {
        let scenarios = scenarios();
        for line in text(&scenarios).lines() {
            assert!(line.chars().count() <= 100, "{line}");
            assert_eq!(line.trim_end(), line, "no blanks at the end");
        }
        let list: serde_json::Value = serde_json::from_str(&json(&scenarios)).unwrap();
        assert_eq!(list["scenarios"].as_array().unwrap().len(), BUILTIN.len());
        let canaries =
            list["scenarios"].as_array().unwrap().iter().filter(|it| it["self_check"] == true);
        assert_eq!(canaries.count(), 1);
        let columns = |line: &str| line.matches(" | ").count();
        let markdown = markdown(&scenarios);
        let mut table = markdown.lines().take_while(|line| !line.is_empty());
        assert!(table.all(|line| columns(line) == SCENARIO_HEAD.len() - 1), "{markdown}");
    }
}
