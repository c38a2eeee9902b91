//! A PostgreSQL for the length of this test run, with all rows of the dataset.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bakeoff::domain::dataset::{BUSINESSES, POPULATION, Tier};
use bakeoff::sql::SCHEMA;

use bakeoff::conform::bodies::data;
use bakeoff::conform::server::PATIENCE;

/// The one cluster of the test run.
static CLUSTER: OnceLock<Cluster> = OnceLock::new();
/// Its databases. Tests take turns at them, since the books of one must not hold what another has paid.
const DATABASES: [&str; 3] = ["postgres", "second", "third"];
static FREE: Mutex<Vec<&str>> = Mutex::new(Vec::new());
static FREED: Condvar = Condvar::new();

thread_local! {
    /// The database of the test that runs in this thread.
    static CLAIMED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// What is missing for it.
pub(crate) fn missing() -> Option<String> {
    match (programs(), owner()) {
        (None, _) => Some("no initdb: apt-get install postgresql".into()),
        (_, Err(nobody)) => Some(nobody),
        _ => None,
    }
}

/// A database that a test has taken; free again when this is dropped.
pub(crate) struct Claim(&'static str);

/// Takes a database until the end of a test.
pub(crate) fn claim() -> Claim {
    CLUSTER.get_or_init(Cluster::start);
    let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut free =
        FREED.wait_while(free, |free| free.is_empty()).unwrap_or_else(PoisonError::into_inner);
    let taken = free.pop().expect("one is free");
    CLAIMED.set(Some(taken));
    Claim(taken)
}

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMED.set(None);
        FREE.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
        FREED.notify_one();
    }
}

/// Where the claimed database is, with the state of its first day. What was paid and credited tells which rows are not
/// as they were: to look for them among a million takes longer than most tests. The lock waits for what a killed server has still under
/// way.
pub(crate) fn url() -> String {
    let cluster = CLUSTER.get().expect("there is a cluster");
    let database = CLAIMED.get().expect("a database was claimed");
    cluster.psql(
        database,
        "BEGIN;
         LOCK TABLE payments, distributions, credits, webhooks IN ACCESS EXCLUSIVE MODE;
         UPDATE users SET spent_minor = 0 WHERE id IN (SELECT user_id FROM payments);
         UPDATE accounts SET points = 0 WHERE id IN (SELECT account_id FROM credits);
         TRUNCATE payments, distributions, credits, webhooks;
         COMMIT;",
    );
    format!("postgres://bench@127.0.0.1:{}/{database}", cluster.port)
}

struct Cluster {
    programs: PathBuf,
    port: u16,
    /// Runs PostgreSQL until its stdin closes: when this process ends, however it ends.
    _keeper: Child,
}

/// Arguments: the programs, the folder, the port.
const KEEPER: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -p "$3" -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=300 2>"$2/log" &
read -r _
kill -QUIT $!
wait $!
rm -rf "$2"
"#;

impl Cluster {
    fn start() -> Self {
        let programs = programs().expect("its programs are here");
        let owner = owner().expect("somebody can own it");
        let folder = tempfile::Builder::new().prefix("bakeoff-pg-").tempdir().unwrap().keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let run = |program: &Path| {
            let mut command = Command::new(program);
            command.current_dir("/").env("LC_ALL", "C");
            if let Some((user, group)) = owner {
                command.uid(user).gid(group);
            }
            command
        };
        if let Some((user, group)) = owner {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        let mut initdb = run(&programs.join("initdb"));
        initdb.arg("-D").arg(folder.join("data"));
        initdb.args(["-U", "bench", "-A", "trust", "-E", "UTF8", "--no-sync"]);
        let made = initdb.output().expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut keeper = run(Path::new("/bin/sh"));
        keeper.args(["-c", KEEPER, "keeper"]).args([&programs, &folder]).arg(port.to_string());
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let keeper = keeper.spawn().expect("sh starts");
        let cluster = Self { programs, port, _keeper: keeper };
        cluster.wait(&folder);
        cluster.fill();
        cluster.copy();
        FREE.lock().unwrap_or_else(PoisonError::into_inner).extend(DATABASES);
        cluster
    }

    fn wait(&self, folder: &Path) {
        let start = Instant::now();
        let ready = || {
            let pid_file = fs::read_to_string(folder.join("data/postmaster.pid"));
            pid_file.is_ok_and(|text| text.lines().nth(7).is_some_and(|l| l.trim() == "ready"))
        };
        while !ready() {
            let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(start.elapsed() < PATIENCE, "postgres does not start: {}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The schema, and every row of the dataset.
    fn fill(&self) {
        let mut sql = format!("{SCHEMA}\nCOPY users FROM STDIN;\n");
        for id in 1..=POPULATION {
            let (user, limits) = (data().user(id).unwrap(), data().limits(id).unwrap());
            let (opening, limit) = (user.opening_balance_minor, limits.per_payment_minor);
            writeln!(sql, "{id}\t{}\t{opening}\t{limit}\t0", user.blocked).unwrap();
        }
        sql += "\\.\nCOPY merchants FROM STDIN;\n";
        for id in 1..=BUSINESSES {
            let merchant = data().merchant(id).unwrap();
            writeln!(sql, "{id}\t{}\t{}", merchant.closed, merchant.fee_bps).unwrap();
        }
        sql += "\\.\nCOPY accounts FROM STDIN;\n";
        for id in 1..=POPULATION {
            let account = data().account(id).unwrap();
            let tier = match account.tier {
                Tier::Basic => 0,
                Tier::Silver => 1,
                Tier::Gold => 2,
                Tier::Platinum => 3,
            };
            writeln!(sql, "{id}\t{tier}\t{}\t0", account.cap_points).unwrap();
        }
        self.psql(DATABASES[0], &(sql + "\\.\nANALYZE;\n"));
    }

    /// The first database's rows for the others.
    fn copy(&self) {
        for other in &DATABASES[1..] {
            // Nobody may be connected to the one that is copied.
            let sql = format!("CREATE DATABASE {other} TEMPLATE {};\n", DATABASES[0]);
            self.psql("template1", &sql);
        }
    }

    fn psql(&self, database: &str, sql: &str) {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "bench", "-q"]);
        psql.args(["-v", "ON_ERROR_STOP=1", "-X", "-f", "-", database]);
        psql.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut psql = psql.spawn().expect("psql starts");
        let written = psql.stdin.take().expect("stdin is piped").write_all(sql.as_bytes());
        let output = psql.wait_with_output().expect("psql ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        written.expect("psql reads everything");
    }
}

/// The folder of the newest PostgreSQL.
fn programs() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = folders
        .filter_map(|folder| Some((folder.file_name().to_str()?.parse::<u32>().ok()?, folder)))
        .map(|(version, folder)| (version, folder.path().join("bin")))
        .filter(|(_, programs)| programs.join("initdb").exists())
        .max();
    let on_path = || {
        std::env::split_paths(&std::env::var_os("PATH")?).find(|dir| dir.join("initdb").exists())
    };
    newest.map(|(_, programs)| programs).or_else(on_path)
}

/// Whom the server runs as, since it refuses to be root; nobody else when this process is not.
fn owner() -> Result<Option<(u32, u32)>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(|e| format!("/etc/passwd: {e}"))?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map_while(|id| id.parse().ok());
        Some((ids.next()?, ids.next()?))
    };
    let owner = ids("postgres").or_else(|| ids("nobody"));
    owner.map(Some).ok_or("root may not run postgres, and no other user is here".into())
}
