//! Where scenarios come from: the built-in ones, a file, or a folder of files.

use super::diagnostic::{listed, nearest};
use super::reading::BYTES_MAX;
use super::{Scenario, parse, parse_in};
use crate::error::{Context, Error, Result};
use crate::files;
use crate::scenario::contender::Programs;
use std::path::{Path, PathBuf};

/// The built-in scenarios: each one's name and its file's text, in the order in which they are shown.
pub const BUILTIN: &[(&str, &str)] = &[
    ("tour-payment-10ms", include_str!("../../scenarios/tour-payment-10ms.toml")),
    ("tour-waiting", include_str!("../../scenarios/tour-waiting.toml")),
    ("tour-payment", include_str!("../../scenarios/tour-payment.toml")),
    ("tour-burst", include_str!("../../scenarios/tour-burst.toml")),
    ("payment-memory", include_str!("../../scenarios/payment-memory.toml")),
    ("loyalty-memory", include_str!("../../scenarios/loyalty-memory.toml")),
    ("mixed-distribution", include_str!("../../scenarios/mixed-distribution.toml")),
    ("payment-50ms-query", include_str!("../../scenarios/payment-50ms-query.toml")),
    (
        "payment-50ms-query-small-pool",
        include_str!("../../scenarios/payment-50ms-query-small-pool.toml"),
    ),
    ("payment-lognormal", include_str!("../../scenarios/payment-lognormal.toml")),
    ("payment-fast-query", include_str!("../../scenarios/payment-fast-query.toml")),
    ("client-cross-check", include_str!("../../scenarios/client-cross-check.toml")),
    ("payment-parallel-lookups", include_str!("../../scenarios/payment-parallel-lookups.toml")),
    ("loyalty-fanout-1000", include_str!("../../scenarios/loyalty-fanout-1000.toml")),
    (
        "loyalty-fanout-1000-pool-64",
        include_str!("../../scenarios/loyalty-fanout-1000-pool-64.toml"),
    ),
    (
        "loyalty-fanout-1000-pool-1000",
        include_str!("../../scenarios/loyalty-fanout-1000-pool-1000.toml"),
    ),
    ("loyalty-million", include_str!("../../scenarios/loyalty-million.toml")),
    ("loyalty-million-postgres", include_str!("../../scenarios/loyalty-million-postgres.toml")),
    ("cpu-signature", include_str!("../../scenarios/cpu-signature.toml")),
    ("io-concurrency", include_str!("../../scenarios/io-concurrency.toml")),
    ("capacity-payment", include_str!("../../scenarios/capacity-payment.toml")),
    ("thread-pool-sizes", include_str!("../../scenarios/thread-pool-sizes.toml")),
    ("curve-payment-50ms", include_str!("../../scenarios/curve-payment-50ms.toml")),
    ("event-loop-processes", include_str!("../../scenarios/event-loop-processes.toml")),
    ("map-cpu-wait", include_str!("../../scenarios/map-cpu-wait.toml")),
    ("checkout-session", include_str!("../../scenarios/checkout-session.toml")),
    ("webhook-receiver", include_str!("../../scenarios/webhook-receiver.toml")),
    ("gateway", include_str!("../../scenarios/gateway.toml")),
    ("sub-millisecond-p99", include_str!("../../scenarios/sub-millisecond-p99.toml")),
    ("connections-10k", include_str!("../../scenarios/connections-10k.toml")),
    ("memory-over-time", include_str!("../../scenarios/memory-over-time.toml")),
    ("p99-over-time", include_str!("../../scenarios/p99-over-time.toml")),
    ("craft-beats-model", include_str!("../../scenarios/craft-beats-model.toml")),
    ("craft-beats-model-memory", include_str!("../../scenarios/craft-beats-model-memory.toml")),
    ("craft-beats-model-loyalty", include_str!("../../scenarios/craft-beats-model-loyalty.toml")),
    ("dependency-stall", include_str!("../../scenarios/dependency-stall.toml")),
    ("go-vs-node-gateway", include_str!("../../scenarios/go-vs-node-gateway.toml")),
    ("go-vs-node-webhook", include_str!("../../scenarios/go-vs-node-webhook.toml")),
    ("go-vs-node-sub-millisecond", include_str!("../../scenarios/go-vs-node-sub-millisecond.toml")),
    ("go-vs-node-raw", include_str!("../../scenarios/go-vs-node-raw.toml")),
    ("go-vs-node-payment", include_str!("../../scenarios/go-vs-node-payment.toml")),
    ("go-vs-node-payment-1ms", include_str!("../../scenarios/go-vs-node-payment-1ms.toml")),
    ("go-vs-node-payment-50ms", include_str!("../../scenarios/go-vs-node-payment-50ms.toml")),
    ("go-vs-node-loyalty", include_str!("../../scenarios/go-vs-node-loyalty.toml")),
    ("go-vs-node-cpu", include_str!("../../scenarios/go-vs-node-cpu.toml")),
    ("go-vs-node-cpu-mixed", include_str!("../../scenarios/go-vs-node-cpu-mixed.toml")),
    ("go-vs-node-io-concurrency", include_str!("../../scenarios/go-vs-node-io-concurrency.toml")),
    ("go-vs-node-memory", include_str!("../../scenarios/go-vs-node-memory.toml")),
    ("go-vs-node-p99", include_str!("../../scenarios/go-vs-node-p99.toml")),
    ("java-virtual-vs-platform", include_str!("../../scenarios/java-virtual-vs-platform.toml")),
    (
        "java-virtual-vs-platform-memory",
        include_str!("../../scenarios/java-virtual-vs-platform-memory.toml"),
    ),
    (
        "java-virtual-vs-platform-5k",
        include_str!("../../scenarios/java-virtual-vs-platform-5k.toml"),
    ),
    (
        "java-virtual-vs-platform-small-pool",
        include_str!("../../scenarios/java-virtual-vs-platform-small-pool.toml"),
    ),
    ("uring-vs-epoll", include_str!("../../scenarios/uring-vs-epoll.toml")),
    ("uring-vs-epoll-payment", include_str!("../../scenarios/uring-vs-epoll-payment.toml")),
    ("uring-vs-epoll-10k", include_str!("../../scenarios/uring-vs-epoll-10k.toml")),
    ("uring-vs-epoll-in-flight-1", include_str!("../../scenarios/uring-vs-epoll-in-flight-1.toml")),
    (
        "uring-vs-epoll-in-flight-10",
        include_str!("../../scenarios/uring-vs-epoll-in-flight-10.toml"),
    ),
    (
        "uring-vs-epoll-in-flight-100",
        include_str!("../../scenarios/uring-vs-epoll-in-flight-100.toml"),
    ),
    (
        "uring-vs-epoll-in-flight-1000",
        include_str!("../../scenarios/uring-vs-epoll-in-flight-1000.toml"),
    ),
    (
        "uring-vs-epoll-in-flight-10000",
        include_str!("../../scenarios/uring-vs-epoll-in-flight-10000.toml"),
    ),
    ("frameworks", include_str!("../../scenarios/frameworks.toml")),
    ("frameworks-1ms", include_str!("../../scenarios/frameworks-1ms.toml")),
    ("frameworks-50ms", include_str!("../../scenarios/frameworks-50ms.toml")),
    ("footprint", include_str!("../../scenarios/footprint.toml")),
    ("canary", include_str!("../../scenarios/canary.toml")),
];

/// The built-in scenario `name`.
///
/// # Panics
/// If a built-in scenario is wrong; a test reads them all.
pub fn builtin(name: &str) -> Option<Scenario> {
    let (name, text) = BUILTIN.iter().find(|(known, _)| *known == name)?;
    let folder = repository().join("scenarios");
    let scenario = parse_in(&folder, Programs::Later, &format!("scenarios/{name}.toml"), text);
    Some(scenario.unwrap_or_else(|error| panic!("a built-in scenario is wrong:\n{error}")))
}

/// What `run` does when no scenario is named: both services, all four models.
pub fn tour() -> [Scenario; 4] {
    ["tour-payment-10ms", "tour-waiting", "tour-payment", "tour-burst"]
        .map(|name| builtin(name).expect("the tour is built in"))
}

/// The scenarios that `arg` names: a built-in one's name, a file's path, or a folder's path, which stands for every
/// `.toml` file in it but the canaries, in the order of their names. `./canary` is a path where `canary` is a name.
///
/// # Errors
/// Usage errors: nothing of that name, an unreadable or wrong file, a folder without a scenario.
pub fn load(arg: &str) -> Result<Vec<Scenario>> {
    if let Some(scenario) = builtin(arg) {
        return Ok(vec![scenario]);
    }
    let path = Path::new(arg);
    if path.is_dir() {
        return folder(path);
    }
    if path.exists() {
        return Ok(vec![file(path)?]);
    }
    let names = || BUILTIN.iter().map(|(name, _)| *name);
    let error = Error::usage(format!("there is no scenario `{}`", arg.escape_debug()));
    // A typing error in a file's name reads as a path, and the built-in ones would be noise.
    Err(if arg.contains(['/', '.']) {
        let nearest = near_file(path).map(|near| format!("; did you mean `{near}`?"));
        error.help(format!("there is no such file{}", nearest.unwrap_or_default()))
    } else if let Some(near) = nearest(arg, names()) {
        error.help(format!("did you mean `{near}`?"))
    } else {
        error.help(format!("name a file, a folder, or one of {}", listed(names())))
    })
}

fn file(path: &Path) -> Result<Scenario> {
    let shown = path.display().to_string();
    let text = files::read_text(path, BYTES_MAX as u64).usage(|| format!("cannot read {shown}"))?;
    parse(&shown, &text)
}

fn folder(path: &Path) -> Result<Vec<Scenario>> {
    let shown = path.display();
    let mut scenarios: Vec<(PathBuf, Scenario)> = Vec::new();
    let mut canaries = 0;
    for path in toml_files(path)? {
        let scenario = file(&path)?;
        if scenario.self_check {
            canaries += 1;
            continue;
        }
        if let Some((other, _)) = scenarios.iter().find(|(_, one)| one.name == scenario.name) {
            let (other, path) = (other.display(), path.display());
            let name = scenario.name;
            return Err(Error::usage(format!("{other} and {path} are both named `{name}`"))
                .help("their reports would share a folder; give one another `name`"));
        }
        scenarios.push((path, scenario));
    }
    if scenarios.is_empty() {
        let why = match canaries {
            0 => "no .toml file",
            _ => "no scenario but canaries (self_check = true), which are run by name",
        };
        return Err(Error::usage(format!("the folder {shown} has {why}")));
    }
    Ok(scenarios.into_iter().map(|(_, scenario)| scenario).collect())
}

/// The scenario files of a folder in the order of their names; hidden ones are an editor's.
fn toml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read the folder {}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).usage(unreadable)? {
        let path = entry.usage(unreadable)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.extension().is_some_and(|extension| extension == "toml") && !hidden {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The scenario file beside `path` whose name is nearest.
fn near_file(path: &Path) -> Option<String> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let files = toml_files(parent.unwrap_or(Path::new("."))).ok()?;
    let shown: Vec<String> = files
        .iter()
        .filter_map(|file| Some(file.strip_prefix("./").unwrap_or(file).to_str()?.to_owned()))
        .collect();
    nearest(path.to_str()?, shown.iter().map(String::as_str)).map(str::to_owned)
}

/// The scenario whose trials `record::mock::payments` makes, but for their name of it.
#[cfg(test)]
pub(crate) fn mocked() -> super::Scenario {
    let rate = super::Level::Rate(crate::units::Rate(4_000.0));
    let tour = builtin("tour-payment").expect("it is built in");
    super::Scenario { rates: vec![rate], ..tour }
}

/// The clone around the current folder, else around this program's file, else the one that it was built from.
fn repository() -> PathBuf {
    let places = [std::env::current_dir(), std::env::current_exe()];
    let clone = places.iter().flatten().find_map(|place| clone_around(place));
    clone.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR"))).to_owned()
}

/// The folder around `place`, or `place` itself, that has the servers.
fn clone_around(place: &Path) -> Option<&Path> {
    place.ancestors().find(|folder| folder.join("contenders/build").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Workload;

    #[test]
    fn every_built_in_scenario_runs_under_its_own_name() {
        for (name, _) in BUILTIN {
            let scenario = builtin(name).unwrap();
            assert_eq!(scenario.name, *name);
            assert_eq!(scenario.self_check, *name == "canary");
        }
        assert!(builtin("nothing").is_none());
    }

    #[test]
    fn the_tour_is_both_services_and_all_four_models_in_five_minutes() {
        let tour = tour();
        for workload in [Workload::Payment, Workload::Loyalty] {
            assert!(tour.iter().any(|one| one.workload == workload), "{}", workload.name());
        }
        let waits: Vec<_> = tour.iter().filter_map(|one| one.store.dependency()).collect();
        assert_eq!(waits.len(), 2, "some of it waits and some does not");
        let models = |one: &Scenario| {
            one.contenders.iter().map(|one| one.built_in().unwrap().model).collect::<Vec<_>>()
        };
        let all = tour.iter().filter(|one| models(one) == crate::backend::model::Model::RACED);
        assert!(all.count() >= 2, "races of all four models");
        assert_eq!(tour.iter().filter(|one| one.disturbance().is_some()).count(), 1, "a burst");
        let mut headlines: Vec<_> = tour.iter().map(|one| one.headline.unwrap().name()).collect();
        headlines.sort_unstable();
        assert_eq!(headlines, ["cpu_per_request", "goodput", "memory", "p50"]);
        let seconds: f64 = tour.iter().map(|one| one.estimate().as_secs_f64()).sum();
        assert!((120.0..=300.0).contains(&seconds), "{seconds}");
    }

    #[test]
    fn a_folder_is_its_scenarios_without_the_canaries() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let load_folder = || load(folder.path().to_str().unwrap());
        assert!(load_folder().unwrap_err().to_string().contains("no .toml file"));

        let text = |name: &str| BUILTIN.iter().find(|(known, _)| *known == name).unwrap().1;
        std::fs::write(path("c.toml"), text("canary")).unwrap();
        assert!(load_folder().unwrap_err().to_string().contains("canaries"));

        std::fs::write(path("b.toml"), text("payment-memory")).unwrap();
        std::fs::write(path("a.toml"), text("loyalty-memory")).unwrap();
        std::fs::write(path("note.txt"), "not a scenario").unwrap();
        std::fs::write(path(".b.toml"), "not = a scenario").unwrap();
        let names: Vec<_> = load_folder().unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["loyalty-memory", "payment-memory"]);

        std::fs::write(path("d.toml"), text("payment-memory")).unwrap();
        let error = load_folder().unwrap_err().to_string();
        assert!(error.contains("b.toml") && error.contains("d.toml"), "{error}");
    }

    #[test]
    fn what_is_not_there_is_said_with_the_nearest() {
        let error = |arg: &str| {
            let error = load(arg).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        };
        assert!(error("payment-memry").contains("did you mean `payment-memory`?"));
        assert!(error("xyz").contains("tour-payment-10ms, tour-waiting"));
        assert!(error("scenarios/canry.toml").contains("did you mean `scenarios/canary.toml`?"));
        assert!(error("no/such/folder.toml").contains("no such file"));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"name = \"\xff\"").unwrap();
        assert!(error(file.path().to_str().unwrap()).contains("UTF-8"));
    }

    #[test]
    fn a_clone_is_found_from_every_folder_in_it() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(clone_around(&here.join("src/scenario")), Some(here));
        assert_eq!(clone_around(Path::new("/")), None);
        assert_eq!(repository(), here);
    }
}
