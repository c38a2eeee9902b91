//! A server that is given: everything in one schema, which goes again.

use std::io::IsTerminal;

use bakeoff::database::{Database, Trial, Typed, Url};
use bakeoff::postgres::{Connection, Server};

use super::{SETUP, client, fresh, row, rows, shared, superuser};

/// The URL of a trial's database as somebody's server, with a password that it does not ask for.
fn given(trial: &Trial<'_>) -> Url {
    let text = trial.url().reveal().replace("bench@", "bench:s3cret@");
    Url::read(&Typed::from(text)).unwrap()
}

fn schemas(client: &mut Connection) -> Vec<Vec<String>> {
    rows(client, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'bakeoff%'")
}

#[test]
fn a_given_server_gets_one_schema_and_loses_it_again() {
    let Some(database) = shared("given") else { return };
    let trial = fresh(&database);
    let url = given(&trial);
    let mut outside = client(url.reveal());
    let sum = "SELECT sum(spent_minor) FROM users";
    let spend = "UPDATE users SET spent_minor = 5 WHERE id = 17";
    {
        // What a killed run has left, and what only looks like it.
        outside.query("CREATE SCHEMA bakeoff_00c0ffee; CREATE SCHEMA bakeoff_notes").unwrap();
        let given = Database::given(&url, &SETUP, true).unwrap();
        assert_eq!(given.stale(), ["bakeoff_00c0ffee"]);
        outside.query("DROP SCHEMA bakeoff_00c0ffee; DROP SCHEMA bakeoff_notes").unwrap();
        assert_eq!(schemas(&mut outside).len(), 1);
        assert!(given.version().starts_with(char::is_numeric), "{}", given.version());
        assert!(given.settings().contains(&("fsync".into(), "off".into())));
        assert_eq!(given.pid(), None);
        let first = given.fresh(1).unwrap();
        // A contender knows nothing of the schema.
        client(first.url().reveal()).query(spend).unwrap();
        assert_eq!(row(&mut outside, sum), ["0"], "others' tables");
        drop(first);
        let second = given.fresh(2).unwrap();
        assert_eq!(row(&mut client(second.url().reveal()), sum), ["0"], "loaded again");
        for shown in [format!("{given:?}"), format!("{second:?}"), second.url().to_string()] {
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }
    assert!(schemas(&mut outside).is_empty());
}

#[test]
fn nothing_is_loaded_that_nobody_agreed_to() {
    let Some(database) = shared("consent") else { return };
    // At a terminal it would ask.
    if std::io::stdin().is_terminal() {
        return;
    }
    let trial = fresh(&database);
    let error = Database::given(&given(&trial), &SETUP, false).unwrap_err();
    assert!(error.to_string().contains("--yes") && error.exit_code() == 2, "{error}");
    assert!(schemas(&mut client(trial.url().reveal())).is_empty());
}

#[test]
fn a_failure_on_the_way_leaves_no_schema() {
    let Some(database) = shared("failure") else { return };
    let trial = fresh(&database);
    let mut outside = superuser(&database, &trial);
    let sabotage = "
        CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
            $$BEGIN RAISE 'no index today'; END$$;
        CREATE EVENT TRIGGER no_index ON ddl_command_start WHEN TAG IN ('ALTER TABLE')
            EXECUTE FUNCTION refuse()";
    outside.query(sabotage).unwrap();
    let error = Database::given(&given(&trial), &SETUP, true).unwrap_err().to_string();
    assert!(error.contains("no index today") && !error.contains("s3cret"), "{error}");
    assert!(schemas(&mut outside).is_empty());
}

/// Who comes by the port, as everyone on this machine can, is not the superuser.
#[test]
fn the_port_does_not_lead_to_the_superuser() {
    let Some(database) = shared("superuser") else { return };
    let trial = fresh(&database);
    let url = trial.url().reveal();
    let other = Server::read(&url.replace("bench@", "postgres@")).unwrap();
    let error = Connection::open(&other).unwrap_err().to_string();
    assert!(error.contains("SQLSTATE 28000"), "{error}");
    assert_eq!(row(&mut client(url), "SHOW is_superuser"), ["off"]);
}
