//! Programs: how this one was built, and whether a PostgreSQL can be started.

use super::Finding;
use crate::database::programs;
use crate::error::Result;

/// Looks at this program and at what it may start.
pub(crate) fn look() -> Vec<Finding> {
    let found = programs::find().map(|folder| folder.display().to_string());
    vec![build(cfg!(debug_assertions)), database(found)]
}

fn build(debug: bool) -> Finding {
    let why = "without optimisation the contenders are a few times slower, each by another factor";
    let found = if debug { "a debug build" } else { "a release build" };
    Finding::fine("this build", found, why)
        .unless(!debug, "cargo build --release, then target/release/bakeoff")
}

fn database(folder: Result<String>) -> Finding {
    let why =
        "only [store.postgres] with url = \"auto\" needs it: a throw-away server for each run";
    match folder {
        Ok(folder) => Finding::fine("PostgreSQL", folder, why),
        Err(error) => {
            let (message, help) = error.parts();
            Finding::fine("PostgreSQL", message, why)
                .unless(false, help.unwrap_or("apt-get install postgresql"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;
    use crate::error::Error;

    #[test]
    fn a_debug_build_and_a_missing_database_are_told() {
        assert_eq!((build(false).state, build(true).state), (State::Fine, State::Mend));
        assert_eq!(database(Ok("/usr/bin".into())).state, State::Fine);
        let missing = database(Err(Error::usage("not installed").help("apt-get install it")));
        assert_eq!(
            (missing.found.as_str(), missing.mend.unwrap().as_str()),
            ("not installed", "apt-get install it")
        );
    }
}
