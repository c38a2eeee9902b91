//! Drivers and pools as their users have them, against the stand-in. They come from PyPI, npm and Debian, so this is asked
//! for by name: `cargo test --test suite -- --ignored --nocapture drivers`.

use std::path::Path;
use std::process::{Command, Output};

use super::Standin;

/// What is tried: its name, what installs it unless it is there, and what runs it. Both are for `sh`, in a folder that is
/// kept, with the scripts in `$DATA` and the stand-in at `$URL` and `$ADDRESS`.
const DRIVERS: [(&str, &str, &str); 9] = [
    ("psql", "command -v psql", r#"test "$(psql -At "$URL" -c '/* ping */ SELECT 1')" = 1"#),
    (
        "pgbench",
        "command -v pgbench",
        r#"printf '%s\n' '\set id random(1, 1000)' 'SELECT tier, cap_points, points FROM account_rows WHERE id = :id;' >one.sql
           for mode in simple extended prepared; do
               pgbench -n -f one.sql -M $mode -t 50 -c 2 "$URL" | grep 'processed: 100/100' || exit 1
           done"#,
    ),
    ("psycopg 3 with its pool", PYTHON, r#"venv/bin/python "$DATA/psycopg3.py" "$URL""#),
    ("asyncpg with its pool", PYTHON, r#"venv/bin/python "$DATA/asyncpg_pool.py" "$URL""#),
    ("SQLAlchemy", PYTHON, r#"venv/bin/python "$DATA/sqlalchemy_first.py" "$URL""#),
    ("node-postgres", NODE, r#"node node_postgres.mjs "$URL""#),
    ("postgres.js", NODE, r#"node postgres_js.mjs "$URL""#),
    (
        "JDBC",
        "test -e /usr/share/java/postgresql.jar || apt-get install -qq -y libpostgresql-jdbc-java",
        r#"java -cp /usr/share/java/postgresql.jar "$DATA/Jdbc.java" "$ADDRESS""#,
    ),
    (
        "DBD::Pg",
        "perl -MDBD::Pg -e 1 || apt-get install -qq -y libdbd-pg-perl",
        r#"perl "$DATA/dbd_pg.pl" ${ADDRESS%:*} ${ADDRESS#*:}"#,
    ),
];

const PYTHON: &str = "test -x venv/bin/python || python3 -m venv venv && \
    venv/bin/pip install -q --disable-pip-version-check 'psycopg[binary,pool]' asyncpg sqlalchemy psycopg2-binary greenlet";

/// Modules are found beside the script that asks for them.
const NODE: &str = r#"cp "$DATA"/*.mjs . && npm install --prefix . --no-audit --no-fund --loglevel=error pg postgres"#;

#[test]
#[ignore = "brings drivers from PyPI, npm and Debian"]
fn drivers_and_pools_can_talk_to_it() {
    let standin = Standin::start(&["--latency", "1ms"]);
    let address = format!("127.0.0.1:{}", standin.port);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("drivers");
    std::fs::create_dir_all(&folder).unwrap();
    let sh = |script: &str| {
        let mut command = Command::new("timeout");
        command.args(["300", "sh", "-c", script]).current_dir(&folder);
        command.env("DATA", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/drivers"));
        // Any password is taken.
        command.env("URL", format!("postgres://me:anything@{address}/any"));
        let Output { status, stdout, stderr } = command.env("ADDRESS", &address).output().unwrap();
        let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        if status.success() { Ok(()) } else { Err(said) }
    };
    let (mut tried, mut failed) = (0, String::new());
    for (name, install, run) in DRIVERS {
        if let Err(said) = sh(install) {
            let why = said.lines().last().unwrap_or("it is not installed");
            crate::skipped(format_args!("{name}: {why}"));
            continue;
        }
        tried += 1;
        match sh(run) {
            Ok(()) => eprintln!("{name}: fine"),
            Err(said) => failed += &format!("{name}: {said}\n"),
        }
    }
    assert!(failed.is_empty(), "{failed}");
    assert!(tried > 0, "none of them could be installed");
}
