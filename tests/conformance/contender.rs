//! The servers of `contenders/`, each in its own language: found if they are built, started as CONTRACT.md says.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::client::Client;
use crate::server::{Mount, Server};
use crate::{database, standin};

/// A server that is no model of this crate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    /// As `/healthz` says it.
    pub(crate) name: &'static str,
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
        let contender = Self { name, command, workers: 1, store: Store::Memory };
        Mount { contender: Some(contender), ..Mount::NULL }
    }

    /// It as the suite starts it, with `flags` of `bakeoff serve` as what the environment calls them.
    pub(crate) fn command(&self) -> Command {
        let [program, arguments @ ..] = self.command else {
            unreachable!("a command has a program")
        };
        let mut command = Command::new(folder().join(program));
        // bakeoff's own models take part as anyone's program would, by the environment alone.
        if program == &BAKEOFF {
            command.args(arguments).arg(format!("--die-with-parent={}", std::process::id()));
        } else {
            command.args(arguments.iter().map(|argument| match argument.contains('/') {
                true => folder().join(argument),
                false => argument.into(),
            }));
        }
        command.env("BAKEOFF_WORKERS", self.workers.to_string()).stdin(Stdio::null());
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

    /// What a flag of `bakeoff serve` is called in the environment.
    pub(crate) fn variable(flag: &str) -> &'static str {
        match flag {
            "--port" => "BAKEOFF_PORT",
            "--seed" => "BAKEOFF_SEED",
            "--signature-rounds" => "BAKEOFF_SIGNATURE_ROUNDS",
            _ => panic!("the contract has no {flag}: this test is for the crate's own models"),
        }
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

    pub(crate) const GO: Self = Contender::mount("go", &["go/bin/server"]);
    pub(crate) const NODE: Self = Contender::mount("node", &[NODE, MAIN, "http"]);
    pub(crate) const EXPRESS: Self = Contender::mount("express", &[NODE, MAIN, "express"]);
    pub(crate) const FASTIFY: Self = Contender::mount("fastify", &[NODE, MAIN, "fastify"]);

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

    fn is_node(self) -> bool {
        self.contender.is_some_and(|contender| contender.command[0] == NODE)
    }

    /// What runs it, with its version to follow; nothing for the crate's own models.
    pub(crate) fn runtime(self) -> Option<&'static str> {
        match self.contender?.command[0] {
            NODE => Some("Node.js "),
            BAKEOFF => None,
            _ => Some("Go "),
        }
    }

    /// Whether it takes a byte order mark before a body for nothing, as body-parser does.
    pub(crate) fn reads_over_a_byte_order_mark(self) -> bool {
        self.contender.is_some_and(|contender| contender.name == "express")
    }

    /// Whether it takes a request line without a version for HTTP/0.9.
    pub(crate) fn speaks_http_0_9(self) -> bool {
        self.is_node()
    }

    /// Whether it grants a connection that has sent nothing all of the 5 s that its end may take, as Go does.
    pub(crate) fn waits_for_the_silent(self) -> bool {
        self.contender.is_some_and(|contender| contender.name == "go")
    }

    /// So many signature rounds, or about as much work where each of them costs four times as much.
    pub(crate) fn rounds(self, count: u32) -> u32 {
        if self.is_node() { count / 4 } else { count }
    }

    /// So many accounts, or fewer where each of them costs two round trips to a database.
    pub(crate) fn accounts(self, count: u32) -> u32 {
        let database = self.contender.is_some_and(|contender| contender.store != Store::Memory);
        if database { count.min(300) } else { count }
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

pub(crate) fn workers_that_share_nothing_are_refused(mount: Mount) {
    let mut command = mount.command();
    let output = command.env("BAKEOFF_WORKERS", "2").output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("BAKEOFF_DATABASE_URL"), "{stderr}");
}

pub(crate) fn a_database_that_is_not_there_is_a_clear_error(mount: Mount) {
    let mut command = mount.command();
    command.env("BAKEOFF_DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing");
    let output = command.output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("BAKEOFF_DATABASE_URL"), "{stderr}");
    assert!(stderr.to_ascii_lowercase().contains("refused"), "{stderr}");
}

pub(crate) fn settings_that_cannot_be_are_named(mount: Mount) {
    for (name, value) in [
        ("BAKEOFF_PORT", "65536"),
        ("BAKEOFF_SEED", "x"),
        ("BAKEOFF_SIGNATURE_ROUNDS", "-1"),
        ("BAKEOFF_WORKERS", "0"),
        ("BAKEOFF_POOL", "0"),
    ] {
        let output = mount.command().env(name, value).output().expect("it starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}={value}: {stderr}");
        assert!(stderr.contains(name) && output.stdout.is_empty(), "{name}={value}: {stderr}");
    }
}

/// A server of a contender that calls `upstream`.
pub(crate) fn with_upstream(mount: Mount, upstream: &str) -> (Server, Client) {
    let mut command = mount.command();
    command.env("BAKEOFF_PORT", "0").env("BAKEOFF_UPSTREAM_URL", upstream);
    let server = Server::launch(command);
    let client = Client::to(&server);
    (server, client)
}
