//! The servers under test: models with the sizes that the suite gives them, and contenders.

use std::process::{Command, Stdio};

use bakeoff::conform::Subject;
use bakeoff::conform::server::{SEED, TestedServer};

use crate::contender::{Contender, Store};

/// The name that a model is given, as `/healthz` must repeat it.
const NAME: &str = "under-test";

/// A model with the sizes that the suite gives it, or a contender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mount {
    /// In another language; then the model says nothing.
    pub(crate) contender: Option<Contender>,
    /// As `--model` spells it.
    pub(crate) model: &'static str,
    /// `--threads`, where the model has them.
    pub(crate) threads: Option<u32>,
}

impl Mount {
    pub(crate) const EVENT_LOOP: Self =
        Self { model: "event-loop", threads: None, contender: None };
    pub(crate) const WORK_STEALING: Self =
        Self { model: "work-stealing", threads: Some(2), contender: None };
    pub(crate) const THREAD_PER_CONNECTION: Self =
        Self { model: "thread-per-connection", threads: None, contender: None };
    /// Four workers: few enough that a test can try to hold them all.
    pub(crate) const THREAD_POOL: Self =
        Self { model: "thread-pool", threads: Some(4), contender: None };
    pub(crate) const NULL: Self = Self { model: "null", threads: None, contender: None };

    pub(crate) const RACED: [Self; 4] =
        [Self::EVENT_LOOP, Self::WORK_STEALING, Self::THREAD_PER_CONNECTION, Self::THREAD_POOL];

    fn serve(self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
        command.args(["serve", "--model", self.model, "--name", NAME]);
        if let Some(threads) = self.threads {
            command.args(["--threads", &threads.to_string()]);
        }
        // A test run that is killed takes its servers with it.
        command.arg(format!("--die-with-parent={}", std::process::id()));
        command
    }
}

impl Subject for Mount {
    fn command(&self) -> Command {
        let mut command = self.contender.map_or_else(|| self.serve(), |it| it.command());
        if !self.is_supervised() {
            command.stdin(Stdio::null());
        }
        for (name, _) in std::env::vars_os() {
            let set = command.get_envs().any(|(own, _)| own == name);
            if name.to_string_lossy().starts_with("BAKEOFF_") && !set {
                command.env_remove(name);
            }
        }
        command
    }

    fn is_supervised(&self) -> bool {
        self.contender.is_some_and(|contender| !contender.is_bakeoff())
    }

    fn name(&self) -> Option<&str> {
        Some(self.contender.map_or(NAME, |contender| contender.name))
    }

    fn runtime(&self) -> Option<&str> {
        self.contender?.runtime
    }

    fn reads_over_a_byte_order_mark(&self) -> bool {
        self.is("express")
    }

    fn speaks_http_0_9(&self) -> bool {
        self.is_node() || self.is_java()
    }

    fn closes_after_refusals(&self) -> bool {
        self.is_java()
    }

    fn waits_for_the_silent(&self) -> bool {
        self.is("go")
    }

    fn rounds(&self, count: u32) -> u32 {
        if self.is_node() { count / 4 } else { count }
    }

    fn accounts(&self, count: u32) -> u32 {
        let database = self.contender.is_some_and(|contender| contender.store != Store::Memory);
        if database { count.min(300) } else { count }
    }
}

/// A model with flags of `bakeoff serve`; one that is given stands for the suite's own.
pub(crate) fn with(mount: Mount, flags: &[&str]) -> TestedServer {
    let mut command = mount.command();
    let seed = SEED.to_string();
    let own = [["--port", "0"], ["--seed", &seed], ["--signature-rounds", "0"]];
    let own = own.iter().filter(|[flag, _]| !flags.contains(flag));
    command.args(own.flatten()).args(flags);
    TestedServer::launch(&mount, command)
}
