//! Sessions played without a socket and without a clock.

use super::super::Settings;
use crate::sql::Statement;
use crate::standin::server::Conversation;
use crate::standin::step::{ConnectionRefusal, Key, Step};
use crate::standin::{MESSAGE_BYTES_MAX, SAVEPOINTS_MAX, STATEMENTS_MAX, World};
use crate::units::Nanos;

/// A session, what it has answered, and when.
struct Talk {
    world: World,
    session: Conversation,
    now: Nanos,
    step: Step,
    /// Of messages that have not been read by the test.
    out: Vec<u8>,
}

const KEY: Key = Key { id: 5, secret: 7 };

fn ms(ms: u64) -> Nanos {
    Nanos(ms * 1_000_000)
}

impl Talk {
    fn new(latency: &str, faults: &[&str]) -> Self {
        let world = World::new(&Settings {
            lookup: latency.parse().unwrap(),
            write: latency.parse().unwrap(),
            faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
            ..Settings::default()
        });
        Self {
            world,
            session: Conversation::new(KEY, None),
            now: Nanos(0),
            step: Step::Read,
            out: Vec::new(),
        }
    }

    /// After its startup, whose messages are forgotten.
    fn started(latency: &str, faults: &[&str]) -> Self {
        let mut talk = Self::new(latency, faults);
        talk.send(&startup());
        assert!(talk.heard().ends_with("Z I"));
        talk
    }

    /// Sends `bytes` now.
    fn send(&mut self, bytes: &[u8]) {
        self.session.receive(bytes, self.now);
        self.step = self.session.advance(self.now, &mut self.world, &mut self.out);
    }

    /// Lets time pass up to `now`.
    fn wait(&mut self, now: Nanos) {
        while let Step::Wait { until, .. } = self.step {
            if until > now {
                break;
            }
            self.now = until;
            self.step = self.session.advance(until, &mut self.world, &mut self.out);
        }
        self.now = now;
    }

    /// What has been answered, message for message.
    fn heard(&mut self) -> String {
        transcript(&std::mem::take(&mut self.out))
    }

    /// Sends `bytes` and lets it take its time.
    fn say(&mut self, bytes: &[u8]) -> String {
        self.send(bytes);
        self.wait(self.now + Nanos::SECOND);
        self.heard()
    }
}

/// Messages one a line, in words.
fn transcript(mut bytes: &[u8]) -> String {
    let mut lines = Vec::new();
    while let [tag, rest @ ..] = bytes {
        if *tag == b'N' && (rest.is_empty() || rest[0] != 0) {
            lines.push("no encryption".into());
            bytes = rest;
            continue;
        }
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        let body = &rest[4..length];
        lines.push(format!("{} {}", char::from(*tag), words(*tag, body)).trim_end().to_owned());
        bytes = &rest[length..];
    }
    lines.join("\n")
}

fn words(tag: u8, body: &[u8]) -> String {
    let texts = || body.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let u32_at = |at: usize| u32::from_be_bytes(body[at..at + 4].try_into().unwrap());
    match tag {
        b'S' => texts().take(2).collect::<Vec<_>>().join("="),
        b'C' => texts().next().unwrap().into(),
        b'Z' => char::from(body[0]).into(),
        b'E' | b'N' => texts().skip(2).take(1).map(|code| code[1..].to_owned()).collect(),
        b'K' => format!("{} {}", u32_at(0), u32_at(4)),
        b't' => (2..body.len()).step_by(4).map(|at| format!("{} ", u32_at(at))).collect(),
        b'T' => {
            let mut rest = &body[2..];
            let mut columns = Vec::new();
            while let Some(end) = rest.iter().position(|byte| *byte == 0) {
                let oid = u32::from_be_bytes(rest[end + 7..end + 11].try_into().unwrap());
                let name = String::from_utf8_lossy(&rest[..end]);
                columns.push(format!("{name}:{oid}:{}", rest[end + 18]));
                rest = &rest[end + 19..];
            }
            columns.join(" ")
        }
        b'D' => {
            let (mut rest, mut cells) = (&body[2..], Vec::new());
            while let Some((length, more)) = rest.split_at_checked(4) {
                let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
                if length == u32::MAX as usize {
                    cells.push("null".into());
                    rest = more;
                    continue;
                }
                cells.push(format!("{:?}", String::from_utf8_lossy(&more[..length])));
                rest = &more[length..];
            }
            cells.join(" ")
        }
        _ => String::new(),
    }
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

fn startup() -> Vec<u8> {
    let body = b"\0\x03\0\0user\0me\0database\0any\0\0";
    [&(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
}

fn query(text: &str) -> Vec<u8> {
    message(b'Q', format!("{text}\0").as_bytes())
}

fn parse(name: &str, text: &str) -> Vec<u8> {
    message(b'P', format!("{name}\0{text}\0\0\0").as_bytes())
}

/// Binds the unnamed portal; parameters in text, results in `format`.
fn bind(name: &str, parameters: &[Option<&str>], format: u8) -> Vec<u8> {
    let mut body = format!("\0{name}\0\0\0\0{}", char::from(parameters.len() as u8)).into_bytes();
    for parameter in parameters {
        match parameter {
            Some(text) => {
                body.extend_from_slice(&(text.len() as u32).to_be_bytes());
                body.extend_from_slice(text.as_bytes());
            }
            None => body.extend_from_slice(&[0xff; 4]),
        }
    }
    body.extend_from_slice(&[0, 1, 0, format]);
    message(b'B', &body)
}

fn execute() -> Vec<u8> {
    message(b'E', b"\0\0\0\0\0")
}

fn sync() -> Vec<u8> {
    message(b'S', b"")
}

fn describe(what: &str) -> Vec<u8> {
    message(b'D', format!("{what}\0").as_bytes())
}

fn lookup(id: &str) -> Vec<u8> {
    [bind("u", &[Some(id)], 0), execute(), sync()].concat()
}

fn user() -> Vec<u8> {
    parse("u", Statement::User.text())
}

const TOLD: &str = "R
S server_version=15.0 (bakeoff stand-in)
S server_encoding=UTF8
S client_encoding=UTF8
S DateStyle=ISO, MDY
S integer_datetimes=on
S standard_conforming_strings=on
S TimeZone=UTC
K 5 7
Z I";

#[test]
fn a_conversation_is_the_same_wherever_it_is_cut() {
    let encryption = |code: u8| [0, 0, 0, 8, 0x04, 0xd2, 0x16, code];
    let said = [
        &encryption(0x30)[..],
        &encryption(0x2f),
        &startup(),
        &user(),
        &describe("Su"),
        &lookup("17"),
        &query("SELECT 1; SHOW timezone"),
        &message(b'X', b""),
    ]
    .concat();
    let play = |parts: &[&[u8]]| {
        let mut talk = Talk::new("0ms", &[]);
        for part in parts {
            talk.send(part);
        }
        assert_eq!(talk.step, Step::Close);
        talk.heard()
    };
    let whole = play(&[&said]);
    let user = World::new(&Settings::default()).data.user(17).unwrap();
    let blocked = if user.blocked { "t" } else { "f" };
    let expected = format!(
        "no encryption\nno encryption\n{TOLD}\n1\nt 23\nT blocked:16:0 opening_balance_minor:20:0\n2\nD \"{blocked}\" \
         \"{}\"\nC SELECT 1\nZ I\nT ?column?:23:0\nD \"1\"\nC SELECT 1\nT TimeZone:25:0\nD \"UTC\"\nC SHOW\nZ I",
        user.opening_balance_minor
    );
    assert_eq!(whole, expected);
    for cut in 1..said.len() {
        assert_eq!(play(&[&said[..cut], &said[cut..]]), whole, "cut at {cut}");
    }
}

#[test]
fn statements_wait_one_after_the_other() {
    let mut talk = Talk::started("50ms", &[]);
    talk.now = ms(1);
    talk.send(&[user(), lookup("1"), lookup("2")].concat());
    assert_eq!(
        talk.step,
        Step::Wait { until: ms(51), flush: false },
        "nothing that anyone waits for"
    );
    talk.now = ms(20);
    talk.send(&lookup("3"));
    talk.wait(ms(60));
    assert_eq!(talk.step, Step::Wait { until: ms(101), flush: true });
    let heard = talk.heard();
    assert!(heard.starts_with("1\n2\nD ") && heard.ends_with("C SELECT 1\nZ I\n2"), "{heard}");
    talk.wait(ms(150));
    assert_eq!(talk.heard().matches("C SELECT 1").count(), 1);
    talk.wait(ms(151));
    assert_eq!((talk.heard().matches("C SELECT 1").count(), talk.step), (1, Step::Read));
    // A pause gives nothing to draw on later.
    talk.now = ms(200);
    talk.send(&lookup("4"));
    assert_eq!(talk.step, Step::Wait { until: ms(250), flush: false });
}

#[test]
fn a_flush_is_not_held_back() {
    let mut talk = Talk::started("50ms", &[]);
    talk.send(&[user(), message(b'H', b""), lookup("1")].concat());
    assert_eq!(talk.step, Step::Wait { until: ms(50), flush: true });
}

#[test]
fn after_an_error_all_is_passed_over_until_sync() {
    let mut talk = Talk::started("0ms", &[]);
    let broken = [parse("x", "nonsense"), lookup("1")].concat();
    assert_eq!(talk.say(&broken), "E 42601\nZ I");
    assert_eq!(talk.say(&[user(), bind("u", &[Some("x")], 0), execute()].concat()), "1\nE 22P02");
    assert_eq!(talk.say(&[execute(), query("SELECT 1"), describe("Su")].concat()), "");
    assert_eq!(talk.say(&sync()), "Z I");
    assert_eq!(talk.say(&[user(), sync()].concat()), "E 42P05\nZ I");
    for (bytes, code) in [
        (bind("nobody", &[], 0), "26000"),
        (describe("Snobody"), "26000"),
        (describe("Pnobody"), "34000"),
        (execute(), "34000"),
        (bind("u", &[], 0), "08P01"),
        (message(b'B', b"\0u\0\0"), "08P01"),
        (message(b'D', b"S"), "08P01"),
        (message(b'P', b"\0\xff\0\0\0"), "22021"),
        (message(b'F', b""), "0A000"),
    ] {
        assert_eq!(talk.say(&[bytes, sync()].concat()), format!("E {code}\nZ I"));
    }
}

#[test]
fn portals_are_executed_once_and_live_until_sync() {
    let mut talk = Talk::started("0ms", &[]);
    talk.say(&user());
    let twice = [bind("u", &[Some("1")], 0), describe("P"), execute(), execute(), sync()].concat();
    let heard = talk.say(&twice);
    assert!(heard.ends_with("C SELECT 1\nC SELECT 0\nZ I"), "{heard}");
    assert_eq!(talk.say(&[execute(), sync()].concat()), "E 34000\nZ I");
    let close = [message(b'C', b"Su\0"), message(b'C', b"Pnobody\0"), lookup("1")].concat();
    assert_eq!(talk.say(&close), "3\n3\nE 26000\nZ I");
}

#[test]
fn rows_come_in_the_format_that_was_asked_for() {
    let mut talk = Talk::started("0ms", &[]);
    talk.say(&parse("a", Statement::Account.text()));
    talk.send(&[bind("a", &[Some("7")], 1), describe("P"), execute()].concat());
    let account = talk.world.data.account(7).unwrap();
    let row = [
        &b"D\0\0\0\x24\0\x03\0\0\0\x02\0"[..],
        &[account.tier as u8, 0, 0, 0, 8],
        &account.cap_points.to_be_bytes(),
        &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    assert!(talk.out.windows(row.len()).any(|window| window == row), "{:?}", talk.out);
    let heard = talk.heard();
    assert!(heard.contains("T tier:21:1 cap_points:20:1 points:20:1\n"), "{heard}");
    assert_eq!(talk.say(&sync()), "Z I");
    for id in [Some("0"), Some("1000001"), Some("-1"), None] {
        let none = [bind("a", &[id], 0), execute(), sync()].concat();
        assert_eq!(talk.say(&none), "2\nC SELECT 0\nZ I", "{id:?}");
    }
}

#[test]
fn writes_change_the_ledger_once() {
    let mut talk = Talk::started("1ms", &[]);
    talk.say(&parse("c", Statement::Capture.text()));
    let mut capture = |key, amount| {
        let parameters = [Some(key), Some("3"), Some("7"), Some(amount), Some("EUR"), Some("9")];
        let heard = talk.say(&[bind("c", &parameters, 0), execute(), sync()].concat());
        heard.lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(capture("k", "100"), "D \"captured\" \"9\"");
    assert_eq!(capture("k", "100"), "D \"replayed\" \"9\"");
    assert_eq!(capture("k", "101"), "D \"conflict\" \"9\"");
    assert_eq!(capture("l", "99999999"), "D \"insufficient_funds\" \"9\"");
    assert_eq!(capture("m", "9223372036854775807"), "E 22003");
    let simple = "SELECT same FROM begin_distribution(1, 2, 3, 4, 5); SELECT fresh FROM credit(1, 5, 50);
        SELECT fresh FROM credit(1, 5, 50); SELECT fresh FROM receive_webhook('e', '{}'); SELECT * FROM audit()";
    let heard = talk.say(&query(simple));
    let rows: Vec<_> = heard.lines().filter(|line| line.starts_with("D ")).collect();
    let audit = r#"D "100" "91" "9" "50" "50" "1" "1" "1" "1""#;
    assert_eq!(rows, ["D \"t\"", "D \"t\"", "D \"f\"", "D \"t\"", audit]);
    assert_eq!(
        talk.say(&query("SELECT fresh FROM credit(1, NULL, 5)")).lines().last(),
        Some("Z I")
    );
}

#[test]
fn a_script_stops_at_its_first_error_and_begins_only_if_all_of_it_can_be_read() {
    let mut talk = Talk::started("0ms", &[]);
    assert_eq!(talk.say(&query("")), "I\nZ I");
    assert_eq!(talk.say(&query(" ; ")), "I\nZ I");
    assert_eq!(talk.say(&query("BEGIN; nonsense")), "E 42601\nZ I");
    assert_eq!(talk.say(&query("SELECT pg_sleep($1)")), "E 42P02\nZ I");
    let heard = talk.say(&query("SELECT fresh FROM credit(1, NULL, 5); SELECT 1"));
    assert_eq!(heard, "E 23502\nZ I");
    assert_eq!(
        talk.say(&query("SET a = 1; DISCARD ALL; DEALLOCATE x")),
        "C SET\nC DISCARD ALL\nC DEALLOCATE\nZ I"
    );
}

#[test]
fn a_transaction_that_has_failed_does_nothing_until_its_end() {
    let mut talk = Talk::started("0ms", &[]);
    assert_eq!(talk.say(&query("BEGIN")), "C BEGIN\nZ T");
    assert_eq!(talk.say(&query("nonsense")), "E 42601\nZ E");
    assert_eq!(talk.say(&query("SELECT 1")), "E 25P02\nZ E");
    assert_eq!(talk.say(&query("COMMIT")), "C ROLLBACK\nZ I");
    let write = query("BEGIN; SELECT fresh FROM credit(1, 5, 5); ROLLBACK");
    assert!(
        talk.say(&write).ends_with("N 01000\nC ROLLBACK\nZ I"),
        "it is said that nothing is undone"
    );
    assert_eq!(talk.say(&query("BEGIN; SELECT 1; COMMIT")).lines().last(), Some("Z I"));
}

#[test]
fn a_savepoint_ends_a_failure_and_takes_nothing_back() {
    let mut talk = Talk::started("0ms", &[]);
    for verb in ["SAVEPOINT a", "RELEASE a", "ROLLBACK TO a"] {
        assert_eq!(talk.say(&query(verb)), "E 25P01\nZ I", "{verb}");
    }
    talk.say(&query("BEGIN"));
    assert_eq!(talk.say(&query("SAVEPOINT a")), "C SAVEPOINT\nZ T");
    assert_eq!(talk.say(&query("nonsense")), "E 42601\nZ E");
    assert_eq!(talk.say(&query("RELEASE a")), "E 25P02\nZ E");
    assert_eq!(talk.say(&query("ROLLBACK TO b")), "E 3B001\nZ E");
    assert_eq!(talk.say(&query("ROLLBACK TO SAVEPOINT A")), "C ROLLBACK\nZ T");
    let write = "SELECT fresh FROM credit(1, 5, 5)";
    talk.say(&query(write));
    let inner = talk.say(&query("SAVEPOINT b; ROLLBACK TO b; RELEASE b"));
    assert_eq!(inner, "C SAVEPOINT\nC ROLLBACK\nC RELEASE\nZ T", "nothing was written since");
    assert_eq!(talk.say(&query("ROLLBACK TO a")), "N 01000\nC ROLLBACK\nZ T");
    assert_eq!(talk.say(&query("RELEASE a; RELEASE a")), "C RELEASE\nE 3B001\nZ E");
    assert_eq!(talk.say(&query("COMMIT")), "N 01000\nC ROLLBACK\nZ I");
    talk.say(&query("BEGIN"));
    for _ in 0..SAVEPOINTS_MAX {
        talk.say(&query("SAVEPOINT s"));
    }
    assert_eq!(talk.say(&query("SAVEPOINT s")), "E 54000\nZ E");
}

#[test]
fn what_drivers_and_pools_ask_is_answered() {
    let mut talk = Talk::started("0ms", &[]);
    assert_eq!(talk.say(&query("-- ping")), "I\nZ I");
    assert_eq!(talk.say(&query("/* DBD::Pg ping test v3.16.0 */")), "I\nZ I");
    let reset = "SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;";
    let void = "T pg_advisory_unlock_all:2278:0\nD \"\"\nC SELECT 1";
    let rest = "C CLOSE CURSOR ALL\nC UNLISTEN\nC RESET\nZ I";
    assert_eq!(talk.say(&query(reset)), format!("{void}\n{rest}"));
    let types = "select oid, typarray from pg_catalog.pg_type where typname = $1";
    let asked =
        [parse("", types), describe("S"), bind("", &[Some("hstore")], 0), execute(), sync()];
    assert_eq!(talk.say(&asked.concat()), "1\nt 25\nT oid:26:0 typarray:26:0\n2\nC SELECT 0\nZ I");
    let values = talk.say(&query("SELECT 1 AS ok, NULL, current_schema() -- all of them"));
    assert_eq!(values.lines().nth(1), Some("D \"1\" null \"public\""), "{values}");
    let first = "SELECT CAST('test plain returns' AS VARCHAR(60)) AS anon_1";
    let row = "T anon_1:1043:0\nD \"test plain returns\"\nC SELECT 1\nZ I";
    assert_eq!(talk.say(&query(first)), row, "the first statement of SQLAlchemy 1.3");
    let pid = "T pg_backend_pid:23:0\nD \"5\"\nC SELECT 1\nZ I";
    assert_eq!(talk.say(&query("SELECT pg_backend_pid()")), pid, "as it was told at the start");
    // A date in text and in binary.
    let start = |talk: &mut Talk| {
        talk.world.start_dates_at(Nanos(946_684_801_500_000_000).saturating_sub(talk.now));
    };
    start(&mut talk);
    assert!(talk.say(&query("SELECT now()")).contains("D \"2000-01-01 00:00:01.500000+00\"\n"));
    talk.say(&parse("n", "SELECT now()"));
    start(&mut talk);
    talk.send(&[bind("n", &[], 1), execute()].concat());
    let micros = 1_500_000_i64.to_be_bytes();
    assert!(talk.out.windows(8).any(|window| window == micros), "{:?}", talk.out);
}

#[test]
fn an_error_says_what_would_be_right() {
    let mut talk = Talk::started("0ms", &[]);
    talk.send(&query("nonsense"));
    let text = String::from_utf8_lossy(&talk.out).into_owned();
    let fields = ["Mthe stand-in does not answer `nonsense`\0", "\0HIt answers: SELECT blocked"];
    assert!(fields.iter().all(|field| text.contains(field)), "{text}");
}

#[test]
fn a_statement_that_is_given_up_has_done_nothing() {
    let mut talk = Talk::started("50ms", &[]);
    talk.send(&query("SELECT fresh FROM credit(1, 5, 5); SELECT 1"));
    talk.wait(ms(20));
    let cancel = |talk: &mut Talk| {
        let now = talk.now;
        talk.session.cancel(now, &mut talk.out);
        talk.step = talk.session.advance(now, &mut talk.world, &mut talk.out);
    };
    cancel(&mut talk);
    assert_eq!((talk.heard().as_str(), talk.step), ("E 57014\nZ I", Step::Read));
    assert_eq!(talk.world.ledger.points(5), 0);
    cancel(&mut talk);
    assert_eq!(talk.heard(), "", "nothing was under way");
    // The next statement waits for nobody.
    talk.send(&query("SELECT fresh FROM credit(1, 5, 5)"));
    assert_eq!(talk.step, Step::Wait { until: ms(70), flush: false });
    talk.wait(ms(70));
    assert!(talk.heard().ends_with("Z I") && talk.world.ledger.points(5) == 5);
    // In the extended protocol all is passed over until Sync, as after any error.
    talk.say(&user());
    talk.send(&lookup("1"));
    cancel(&mut talk);
    assert_eq!(talk.heard(), "2\nE 57014\nZ I");
    // Whose it is is said by the key alone.
    let mut other = Talk::new("0ms", &[]);
    other.send(b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x05\0\0\0\x07");
    assert_eq!((other.world.cancels.as_slice(), other.step), (&[KEY][..], Step::Close));
}

#[test]
fn sleeps_take_their_time() {
    let mut talk = Talk::started("0ms", &[]);
    talk.send(&query("SELECT pg_sleep(0.05); SELECT pg_sleep(-1)"));
    assert_eq!(talk.step, Step::Wait { until: ms(50), flush: false });
    talk.wait(ms(50));
    assert_eq!(talk.step, Step::Read);
    assert!(talk.heard().ends_with("C SELECT 1\nZ I"));
    assert_eq!(talk.say(&query("SELECT pg_sleep(1e9)")), "E 22003\nZ I");
    // An int8, which PostgreSQL makes a float8.
    let body = [b"s\0SELECT pg_sleep($1)\0\0\x01" as &[u8], &20_u32.to_be_bytes()].concat();
    talk.send(&[message(b'P', &body), bind("s", &[Some("2")], 0), execute()].concat());
    let until = talk.now + ms(2_000);
    assert_eq!(talk.step, Step::Wait { until, flush: false });
}

#[test]
fn faults_do_what_they_are_called() {
    let credit = "SELECT fresh FROM credit(1, 5, 5)";
    let mut errors = Talk::started("1ms", &["errors=100%@0s+9s"]);
    assert_eq!(errors.say(&query(credit)), "E 53300\nZ I");
    assert_eq!(errors.world.ledger.points(5), 0, "what fails does nothing");
    let mut drop = Talk::started("1ms", &["drop=100%@0s+9s"]);
    assert_eq!((drop.say(&query(credit)).as_str(), drop.step), ("", Step::Close));
    assert_eq!(drop.world.ledger.points(5), 5, "the answer is lost, not the work");
    let mut stall = Talk::started("1ms", &["stall=1s@10ms"]);
    stall.say(&user());
    stall.send(&lookup("1"));
    stall.wait(stall.now + ms(5));
    assert!(stall.heard().ends_with("Z I"));
    stall.now += ms(10);
    let start = stall.now;
    stall.send(&query("SELECT 1"));
    assert_eq!(stall.heard(), "", "whatever it is that was sent");
    stall.wait(start + Nanos::SECOND);
    assert!(stall.heard().ends_with("Z I"));
}

#[test]
fn what_breaks_the_protocol_is_told_so_and_closed() {
    for (bytes, says) in [
        (&b"\0\0\0\x04"[..], "E 08P01"),
        (b"\0\xff\xff\xff\0\x03\0\0", "E 08P01"),
        (b"\0\0\0\x08\0\x02\0\0", "E 0A000"),
        (b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\0\0\0\0\0", ""),
    ] {
        let mut talk = Talk::new("0ms", &[]);
        talk.send(bytes);
        assert_eq!((talk.heard().as_str(), talk.step), (says, Step::Close));
    }
    for bytes in [&b"!\0\0\0\x04"[..], b"Q\0\0\0\x03", b"Q\x7f\xff\xff\xff"] {
        let mut talk = Talk::started("0ms", &[]);
        talk.send(bytes);
        assert_eq!((talk.heard().as_str(), talk.step), ("E 08P01", Step::Close));
    }
    let mut newer = startup();
    newer[7] = 2;
    let mut talk = Talk::new("0ms", &[]);
    talk.send(&newer);
    assert!(talk.heard().starts_with("v\nR\n"), "3.2 is talked down to 3.0");
}

#[test]
fn limits_are_kept() {
    let mut talk = Talk::started("0ms", &[]);
    let long = "a".repeat(MESSAGE_BYTES_MAX - 5);
    assert_eq!(talk.say(&query(&long)), "E 42601\nZ I", "as long as it may be");
    for n in 0..STATEMENTS_MAX {
        assert_eq!(talk.say(&parse(&format!("s{n}"), "SELECT 1")), "1");
    }
    assert_eq!(talk.say(&[parse("one more", "SELECT 1"), sync()].concat()), "E 54000\nZ I");
    assert_eq!(talk.say(&[parse("", "SELECT 1"), sync()].concat()), "1\nZ I");
    let mut refused = Talk::new("0ms", &[]);
    refused.session = Conversation::new(KEY, Some(ConnectionRefusal::TooMany));
    refused.send(&startup());
    assert_eq!((refused.heard().as_str(), refused.step), ("E 53300", Step::Close));
}

#[test]
fn a_client_that_does_not_read_is_not_answered_without_end() {
    let mut talk = Talk::started("0ms", &[]);
    talk.say(&parse("a", Statement::Audit.text()));
    talk.send(&describe("Sa").repeat(20_000));
    assert_eq!(talk.step, Step::Write);
    assert!(talk.out.len() < 300_000, "{}", talk.out.len());
    let mut described = 0;
    while !talk.out.is_empty() {
        described += talk.heard().matches("T money_in_minor").count();
        talk.send(b"");
    }
    assert_eq!(described, 20_000);
}
