//! The servers of `contenders/`, each in its own language: found if they are built, started as CONTRACT.md says.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use bakeoff::conform::client::RawClient;
use bakeoff::conform::server::{TestedServer, supervised};

use crate::server::Mount;
use crate::{database, standin};

/// A server that is no model of this crate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    /// As `/healthz` says it.
    pub(crate) name: &'static str,
    /// What `/healthz` says of its runtime before the version.
    pub(crate) runtime: Option<&'static str>,
    /// What starts it, with paths below `contenders/`.
    command: &'static [&'static str],
    /// `BAKEOFF_WORKERS`
    workers: u32,
    /// Where its state is.
    pub(crate) store: Store,
}

/// Where a server keeps its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Memory,
    /// In a stand-in of the test's own.
    Standin,
    /// In the test run's PostgreSQL.
    Postgres,
}

/// Connections to the database, of all workers.
const POOL: u32 = 8;

impl Contender {
    const fn mount(name: &'static str, command: &'static [&'static str]) -> Mount {
        let contender = Self { name, runtime: None, command, workers: 1, store: Store::Memory };
        Mount { contender: Some(contender), ..Mount::NULL }
    }

    const fn on(
        runtime: &'static str,
        name: &'static str,
        command: &'static [&'static str],
    ) -> Mount {
        let contender =
            Self { name, runtime: Some(runtime), command, workers: 1, store: Store::Memory };
        Mount { contender: Some(contender), ..Mount::NULL }
    }

    pub(crate) fn is_bakeoff(&self) -> bool {
        self.command[0] == BAKEOFF
    }

    /// It as the suite starts it, with `flags` of `bakeoff serve` as what the environment calls them.
    pub(crate) fn command(&self) -> Command {
        let [program, arguments @ ..] = self.command else {
            unreachable!("a command has a program")
        };
        let mut command;
        // bakeoff's own models take part as anyone's program would, by the environment alone.
        if self.is_bakeoff() {
            command = Command::new(program);
            command.args(arguments).arg(format!("--die-with-parent={}", std::process::id()));
        } else {
            command = supervised(Path::new(BAKEOFF));
            command.arg(folder().join(program)).args(arguments.iter().map(|argument| {
                match argument.contains('/') {
                    true => folder().join(argument),
                    false => argument.into(),
                }
            }));
        }
        command.env("BAKEOFF_WORKERS", self.workers.to_string());
        let url = match self.store {
            Store::Memory => None,
            Store::Standin => Some(standin::url(&[])),
            Store::Postgres => Some(database::url()),
        };
        if let Some(url) = url {
            command.env("BAKEOFF_DATABASE_URL", url);
            command.env("BAKEOFF_POOL", POOL.to_string());
        }
        command
    }
}

/// The program whose models the suite is for.
const BAKEOFF: &str = env!("CARGO_BIN_EXE_bakeoff");

/// The client that not every build has.
const CROSS_CHECK: &str = "tokio-postgres";

impl Mount {
    pub(crate) const EVENT_LOOP_PROGRAM: Self =
        Contender::mount("event-loop", &[BAKEOFF, "serve", "--model", "event-loop"]);
    pub(crate) const TOKIO_POSTGRES_PROGRAM: Self = Contender::mount(
        "event-loop",
        &[BAKEOFF, "serve", "--model", "event-loop", "--client", CROSS_CHECK],
    );
    /// Two processes, each with the client that others use.
    pub(crate) const TOKIO_POSTGRES_TWICE_PROGRAM: Self = Contender::mount(
        "event-loop",
        &[BAKEOFF, "serve", "--model=event-loop", "--client", CROSS_CHECK, "--processes=2"],
    );
    pub(crate) const WORK_STEALING_PROGRAM: Self =
        Contender::mount("work-stealing", &[BAKEOFF, "serve", "--model", "work-stealing"]);
    pub(crate) const THREAD_PER_CONNECTION_PROGRAM: Self = Contender::mount(
        "thread-per-connection",
        &[BAKEOFF, "serve", "--model", "thread-per-connection", "--threads", "256"],
    );
    pub(crate) const THREAD_POOL_PROGRAM: Self = Contender::mount(
        "thread-pool",
        &[BAKEOFF, "serve", "--model", "thread-pool", "--threads", "4"],
    );

    pub(crate) const GO: Self = Contender::on("Go ", "go", &["go/bin/server"]);
    pub(crate) const NODE: Self = Contender::on("Node.js ", "node", &[NODE, MAIN, "http"]);
    pub(crate) const EXPRESS: Self = Contender::on("Node.js ", "express", &[NODE, MAIN, "express"]);
    pub(crate) const FASTIFY: Self = Contender::on("Node.js ", "fastify", &[NODE, MAIN, "fastify"]);
    pub(crate) const JAVA_VIRTUAL: Self =
        Contender::on("Java ", "java-virtual", &["java/bin/server", "virtual"]);
    pub(crate) const JAVA_THREADS: Self =
        Contender::on("Java ", "java-threads", &["java/bin/server", "threads", "64"]);
    pub(crate) const AXUM: Self = Contender::on("axum ", "axum", &["axum/bin/server"]);
    pub(crate) const URING: Self = Contender::on("compio ", "uring", &["uring/bin/server"]);

    /// The same server with a database as its store, as so many processes if it knows how to.
    pub(crate) const fn on_postgres(self, workers: u32) -> Self {
        let Some(contender) = self.contender else { panic!("no contender") };
        let store = Store::Postgres;
        Self { contender: Some(Contender { store, workers, ..contender }), ..self }
    }

    /// The same server with a stand-in as its store.
    pub(crate) const fn on_standin(self) -> Self {
        let Some(contender) = self.contender else { panic!("no contender") };
        let store = Store::Standin;
        Self { contender: Some(Contender { store, ..contender }), ..self }
    }

    pub(crate) fn is_node(self) -> bool {
        self.contender.is_some_and(|contender| contender.command[0] == NODE)
    }

    pub(crate) fn is_java(self) -> bool {
        self.contender.is_some_and(|contender| contender.runtime == Some("Java "))
    }

    /// Whether it is the contender of this name.
    pub(crate) fn is(self, name: &str) -> bool {
        self.contender.is_some_and(|contender| contender.name == name)
    }
}

const NODE: &str = "node/bin/node";
const MAIN: &str = "node/dist/main.js";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contenders")
}

/// What is missing to start it.
pub(crate) fn missing(mount: Mount) -> Option<String> {
    let contender = mount.contender?;
    if contender.command.contains(&CROSS_CHECK) && !cfg!(feature = "cross-check") {
        return Some("this build has no such client: run with --features cross-check".into());
    }
    let files = contender.command.iter().filter(|part| part.contains('/'));
    let path = files.map(|file| folder().join(file)).find(|path| !path.exists())?;
    Some(format!("{} is not built: run contenders/build", path.display()))
}

/// Whether it keeps its rows in the one database.
pub(crate) fn is_on_postgres(mount: Mount) -> bool {
    mount.contender.is_some_and(|contender| contender.store == Store::Postgres)
}

/// What a run on several hosts asks, and CONTRACT.md of those who take part in one.
pub(crate) fn it_listens_at_the_address_that_it_is_given(mount: Mount) {
    let address = Ipv4Addr::new(127, 0, 0, 2);
    let server = TestedServer::with(&mount, &[("BAKEOFF_ADDRESS", &address.to_string())]);
    assert_eq!(server.address().ip(), address);
    assert_eq!(RawClient::to(&server).get("/null").status, 200);
}
