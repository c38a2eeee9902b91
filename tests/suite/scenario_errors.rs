//! What a wrong scenario file is told: one mistake at a time, underlined, with what to write instead.
//!
//! Each case changes one thing in a file that is right. The gallery of all reports is one snapshot, to be read as a
//! person would; that each underlines the right text is asserted case by case.

use bakeoff::scenario::{BUILTIN, parse};

/// A right file with something of everything.
const RIGHT: &str = r#"#:schema ./bakeoff.schema.json
schema   = 1
name     = "reads"
title    = "Reads beside distributions"
workload = "loyalty"
seed     = 7
rounds   = 10
experiment = { compare = { rates = ["100/s", "400/s"] } }

[store.memory]

[[route]]
operation = "account-read"
weight    = 9

[[route]]
operation = "distribution"
accounts  = 500

[contender.event-loop]
model = "event-loop"
cpu   = "inline"

[contender.threads]
model   = "thread-pool"
threads = 64

[contender.per-connection]
model   = "thread-per-connection"
threads = 256

[placement]
mode = "apart"
contender_cores = 1

[load.open]
arrivals    = "poisson"
warm_up     = "1s"
duration    = "5s"
connections = 128
timeout     = "2s"

[slo]
p99 = "100ms"
error_rate = "0.1%"

[[expect]]
text    = "Reads do not care"
metric  = "p99"
of      = "threads"
versus  = "event-loop"
at      = "400/s"
request = "account-read"
within  = 1.10
"#;

/// A right file of payments.
const RIGHT_PAYMENT: &str = r#"schema = 1
name = "pay"
title = "Pay"
workload = "payment"
experiment.compare.rates = ["50%"]
request.cpu = "40us"
slo.p99 = "1s"
[contender.a]
model = "thread-pool"
"#;

/// A name, the text to replace, what replaces it, and what must be underlined.
type Case = (&'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const SPELLING: &[Case] = &[
    ("not TOML", "rounds   = 10", "rounds   = ", "rounds   ="),
    ("an unclosed string", "\"Reads beside distributions\"", "\"Reads", "title    = \"Reads"),
    ("a key twice", "seed     = 7", "seed     = 7\nseed = 8", "seed"),
    ("a contender twice", "[contender.threads]", "[contender.event-loop]", "event-loop"),
    ("an unknown top-level key", "rounds   = 10", "round = 10", "round"),
    ("an unknown table", "[placement]", "[placment]", "placment"),
    ("an unknown key of a contender", "threads = 64", "thread = 64", "thread"),
    ("an unknown key of the load", "warm_up     = \"1s\"", "warmup = \"1s\"", "warmup"),
    ("an unknown key like no other", "threads = 256", "colour = 128", "colour"),
    ("an unknown key of an empty table", "[store.memory]", "[store.memory]\nsize = 1", "size"),
    ("an unknown model", "model = \"event-loop\"", "model = \"evnt-loop\"", "\"evnt-loop\""),
    ("a model like no other", "model = \"event-loop\"", "model = \"tokio\"", "\"tokio\""),
    ("an unknown metric", "metric  = \"p99\"", "metric = \"p98\"", "\"p98\""),
    ("an unknown headline", "rounds   = 10", "headline = \"p98\"", "\"p98\""),
    ("an unknown workload", "\"loyalty\"", "\"loyality\"", "\"loyality\""),
    ("an unknown operation", "\"account-read\"", "\"acount-read\"", "\"acount-read\""),
    ("an unknown kind of load", "[load.open]", "[load.opened]", "opened"),
    ("two kinds of load", "[slo]", "[load.closed]\n[slo]", "load"),
    ("a hostile key", "seed     = 7", r#""a`, expected `b`\u001b[31m" = 7"#, r#""a`, expected `b`\u001b[31m""#),
    ("a hostile value", "\"poisson\"", r#""x`, expected `\u0007""#, r#""x`, expected `\u0007""#),
];

#[rustfmt::skip]
const TYPES: &[Case] = &[
    ("a duration without a unit", "\"5s\"", "5", "5"),
    ("a duration in text without a unit", "\"5s\"", "\"5\"", "\"5\""),
    ("an unknown unit", "\"5s\"", "\"5 sec\"", "\"5 sec\""),
    ("an empty duration", "\"5s\"", "\"\"", "\"\""),
    ("a duration that is a list", "\"5s\"", "[5]", "[5]"),
    ("a rate without a unit", "[\"100/s\", \"400/s\"]", "[\"100/s\", 400]", "400"),
    ("a rate that is none", "[\"100/s\", \"400/s\"]", "[\"100/s\", \"fast\"]", "\"fast\""),
    ("rates that are no list", "[\"100/s\", \"400/s\"]", "\"100/s\"", "\"100/s\""),
    ("a share without a unit", "\"0.1%\"", "0.001", "0.001"),
    ("a number that is text", "rounds   = 10", "rounds   = \"10\"", "\"10\""),
    ("a negative number", "rounds   = 10", "rounds   = -1", "-1"),
    ("a fraction", "rounds   = 10", "rounds   = 1.5", "1.5"),
    ("text that is a number", "\"Reads beside distributions\"", "7", "7"),
    ("a ratio that is text", "within  = 1.10", "within  = \"10%\"", "\"10%\""),
    ("a bound that is a list", "within  = 1.10", "at_least = [1]", "[1]"),
    ("a table that is a number", "{ compare = { rates = [\"100/s\", \"400/s\"] } }", "5", "5"),
    ("a contender that is a name", "[contender.event-loop]\nmodel = \"event-loop\"\ncpu   = \"inline\"",
     "[contender]\nevent-loop = \"event-loop\"", "\"event-loop\""),
    ("no truth value", "seed     = 7", "self_check = 1", "1"),
    ("a number beyond all bounds", "seed     = 7", "seed = 18446744073709551616", "18446744073709551616"),
    ("a date", "seed     = 7", "seed = 2026-11-24", "2026-11-24"),
    ("a table that is a list", "{ compare = { rates = [\"100/s\", \"400/s\"] } }", "[5]", "[5]"),
    ("a word that is a table", "\"poisson\"", "{ poisson = {} }", "{}"),
    ("a table that is a word", "[store.memory]", "store = \"memory\"", "\"memory\""),
];

#[rustfmt::skip]
const MISSING: &[Case] = &[
    ("no schema version", "schema   = 1\n", "", "name     = \"reads\""),
    ("no name", "name     = \"reads\"\n", "", "schema   = 1"),
    ("no model", "model = \"event-loop\"\n", "", "[contender.event-loop]"),
    ("no rates", "experiment = { compare = { rates = [\"100/s\", \"400/s\"] } }", "", "schema   = 1"),
    ("no operation", "operation = \"distribution\"\n", "", "[[route]]"),
    ("no subject", "of      = \"threads\"\n", "", "[[expect]]"),
    ("no bound", "within  = 1.10\n", "", "\"Reads do not care\""),
    ("no level", "at      = \"400/s\"\n", "", "\"p99\""),
    ("no request", "request = \"account-read\"\n", "", "\"p99\""),
    ("nobody to compare with", "versus  = \"event-loop\"\n", "", "1.10"),
];

#[rustfmt::skip]
const MEANING: &[Case] = &[
    ("another format version", "schema   = 1", "schema   = 2", "2"),
    ("a name that is a path", "\"reads\"", "\"../reads\"", "\"../reads\""),
    ("a title of two lines", "\"Reads beside distributions\"", "\"a\\nb\"", "\"a\\nb\""),
    ("a name with a space", "[contender.threads]", "[contender.\"my threads\"]", "\"my threads\""),
    ("no rounds", "rounds   = 10", "rounds   = 0", "0"),
    ("too many rounds", "rounds   = 10", "rounds   = 100000", "100000"),
    ("no levels", "[\"100/s\", \"400/s\"]", "[]", "[]"),
    ("steps beside rates", "duration    = \"5s\"", "steps = [[\"100/s\", \"1s\"], [\"400/s\", \"1s\"]]", "[\"100/s\", \"400/s\"]"),
    ("steps beside a duration", "timeout     = \"2s\"", "steps = [[\"100/s\", \"1s\"], [\"400/s\", \"1s\"]]", "\"5s\""),
    ("one step", "duration    = \"5s\"", "steps = [[\"100/s\", \"1s\"]]", "[[\"100/s\", \"1s\"]]"),
    ("steps of two kinds", "duration    = \"5s\"", "steps = [[\"100/s\", \"1s\"], [\"50%\", \"1s\"]]", "\"50%\""),
    ("a step of no length", "duration    = \"5s\"", "steps = [[\"100/s\", \"1s\"], [\"400/s\", \"0s\"]]", "\"0s\""),
    ("a headline of another load", "rounds   = 10", "headline = \"achieved\"", "\"achieved\""),
    ("a headline of a fault", "rounds   = 10", "headline = \"recovery\"", "\"recovery\""),
    ("a level twice", "[\"100/s\", \"400/s\"]", "[\"400/s\", \"0.4k/s\"]", "\"0.4k/s\""),
    ("a window without end", "[\"100/s\", \"400/s\"]", "[\"0.1/s\", \"400/s\"]", "\"0.1/s\""),
    ("threads of an event loop", "cpu   = \"inline\"", "threads = 4", "4"),
    ("a model and a command", "threads = 64", "command = [\"sh\"]", "[\"sh\"]"),
    ("variables of a model", "threads = 64", "env = { A = \"1\" }", "A"),
    ("a label of two lines", "threads = 64", "label = \"a\\nb\"", "\"a\\nb\""),
    ("a path of ours", "weight    = 9", "path = \"/x\"", "\"/x\""),
    ("one rate and no other", "weight    = 9", "rate = \"9/s\"", "[[route]]"),
    ("a weight and a rate", "weight    = 9", "weight = 9\nrate = \"9/s\"", "9"),
    ("a rate without a unit of ours", "weight    = 9", "rate = 9", "9"),
    ("no threads", "threads = 64", "threads = 0", "0"),
    ("fewer threads than connections", "threads = 256", "threads = 100", "100"),
    ("a signature of loyalty", "[store.memory]", "[request]\ncpu = \"40us\"", "\"40us\""),
    ("a slow contender of loyalty", "threads = 64", "request_cpu = \"2ms\"", "\"2ms\""),
    ("a payment at loyalty", "\"distribution\"\naccounts  = 500", "\"payment\"", "\"payment\""),
    ("an operation twice", "\"distribution\"\naccounts  = 500", "\"account-read\"", "\"account-read\""),
    ("accounts of a read", "weight    = 9", "accounts = 9", "9"),
    ("more accounts than there are", "accounts  = 500", "accounts  = 1000001", "1000001"),
    ("a weight of nothing", "weight    = 9", "weight    = 0", "0"),
    ("cores of a shared placement", "mode = \"apart\"", "mode = \"shared\"", "1"),
    ("a window of nothing", "\"5s\"", "\"0s\"", "\"0s\""),
    ("a window of two hours", "\"5s\"", "\"120m\"", "\"120m\""),
    ("too few connections", "connections = 128", "connections = 64", "64"),
    ("an SLO beyond the timeout", "\"100ms\"", "\"3s\"", "\"3s\""),
    ("more errors than requests", "\"0.1%\"", "\"101%\"", "\"101%\""),
    ("an unknown contender", "of      = \"threads\"", "of      = \"thread\"", "\"thread\""),
    ("an unknown other", "versus  = \"event-loop\"", "versus  = \"nobody\"", "\"nobody\""),
    ("one against itself", "versus  = \"event-loop\"", "versus  = \"threads\"", "\"threads\""),
    ("a level that does not run", "at      = \"400/s\"", "at      = \"50%\"", "\"50%\""),
    ("a request that is not sent", "request = \"account-read\"", "request = \"acount-read\"", "\"acount-read\""),
    ("a request of a whole trial", "metric  = \"p99\"", "metric  = \"rss\"", "\"account-read\""),
    ("a ceiling of an open load", "metric  = \"p99\"", "metric  = \"achieved\"", "\"achieved\""),
    ("two bounds", "within  = 1.10", "within  = 1.10\nat_most = 2", "2"),
    ("a ratio below one", "within  = 1.10", "within  = 0.9", "0.9"),
    ("a ratio that is no number", "within  = 1.10", "within  = nan", "nan"),
    ("a ratio with a unit", "within  = 1.10", "at_most = \"5ms\"", "\"5ms\""),
    ("a value without a unit", VERSUS, ABSOLUTE_BARE, "5"),
    ("a value of another unit", VERSUS, ABSOLUTE_BYTES, "\"5MiB\""),
    ("memory in another unit", LATENCY, MEMORY, "\"5MB\""),
    ("an absolute difference of memory", LATENCY, MEMORY_ABS, "\"5ms\""),
    ("rates of a closed load", "[load.open]\narrivals    = \"poisson\"", "[load.closed]", "[\"100/s\", \"400/s\"]"),
    ("a canary without expectation", EXPECT, "[[claim]]", "true"),
    ("no fault to recover from", "metric  = \"p99\"", "metric  = \"recovery\"", "\"recovery\""),
    ("no pool in memory", "metric  = \"p99\"", "metric  = \"pool_wait_p99\"", "\"pool_wait_p99\""),
    ("a capacity at a rate", "metric  = \"p99\"", "metric  = \"capacity\"", "\"400/s\""),
    ("a spread below one", "metric  = \"p99\"\nof      = \"threads\"\nversus  = \"event-loop\"\nat      = \"400/s\"\nrequest = \"account-read\"\nwithin  = 1.10", "metric = \"rss_spread\"\nof = \"threads\"\nat = \"400/s\"\nat_most = 0.5", "0.5"),
];
const VERSUS: &str =
    "versus  = \"event-loop\"\nat      = \"400/s\"\nrequest = \"account-read\"\nwithin  = 1.10";
const ABSOLUTE_BARE: &str = "at = \"400/s\"\nrequest = \"account-read\"\nat_most = 5";
const ABSOLUTE_BYTES: &str = "at = \"400/s\"\nrequest = \"account-read\"\nat_most = \"5MiB\"";
const LATENCY: &str = "metric  = \"p99\"\nof      = \"threads\"\nversus  = \"event-loop\"\nat      \
                       = \"400/s\"\nrequest = \"account-read\"\nwithin  = 1.10";
const MEMORY: &str = "metric = \"rss\"\nof = \"threads\"\nat = \"400/s\"\nat_most = \"5MB\"";
const MEMORY_ABS: &str = "metric = \"rss\"\nof = \"threads\"\nversus = \"event-loop\"\nat = \
                          \"400/s\"\nwithin_abs = \"5ms\"";
/// From the seed on, so that the case can make a canary of it.
const EXPECT: &str = "[[expect]]";

#[rustfmt::skip]
const LATER: &[Case] = &[
    ("a load profile", "\"poisson\"", "\"ramp\"", "\"ramp\""),
];

#[rustfmt::skip]
const PAYMENT: &[Case] = &[
    ("an SLO below the floor", "p99 = \"1s\"", "p99 = \"30us\"", "\"30us\""),
    ("too much CPU", "\"40us\"", "\"1m\"", "\"1m\""),
    ("threads of the control", "\"thread-pool\"", "\"null\"\nthreads = 2", "2"),
    ("a promise of a closed load", "experiment.compare.rates = [\"50%\"]", "load.closed = {}", "\"1s\""),
    ("no contender", "[contender.a]\nmodel = \"thread-pool\"\n", "", "schema = 1"),
    ("no contender in the table", "[contender.a]\nmodel = \"thread-pool\"\n", "[contender]", "schema = 1"),
    ("no SLO in the table", "slo.p99 = \"1s\"", "slo.error_rate = \"1%\"", "slo"),
];

/// A right file of anyone's service.
const RIGHT_HTTP: &str = r#"schema = 1
name = "mine"
title = "Mine"
workload = "http"
experiment.compare.rates = ["100/s"]
[[route]]
name = "charge"
path = "/v1/charge"
headers = { accept = "*/*" }
body = '{"id":"{uuid}","n":{int:1..5}}'
status = [200, 201]
[[route]]
name = "look"
path = "/"
[contender.base]
command = ["sh", "-c", "exit"]
ready = "tcp"
[contender.there]
url = "http://127.0.0.1:8080"
"#;

#[rustfmt::skip]
const HTTP: &[Case] = &[
    ("no route at all", ROUTES, "", "schema = 1"),
    ("a route without a name", "name = \"charge\"\n", "", "[[route]]"),
    ("a route without a path", "path = \"/\"\n", "", "[[route]]"),
    ("a route's name twice", "name = \"look\"", "name = \"charge\"", "\"charge\""),
    ("a route's name with a space", "name = \"look\"", "name = \"a look\"", "\"a look\""),
    ("an operation of ours", "path = \"/\"", "operation = \"payment\"", "\"payment\""),
    ("a relative path", "\"/v1/charge\"", "\"v1/charge\"", "\"v1/charge\""),
    ("a path with a space", "\"/v1/charge\"", "\"/v1/{pick:a b|c}\"", "\"/v1/{pick:a b|c}\""),
    ("a method in small letters", "path = \"/\"", "path = \"/\"\nmethod = \"get\"", "\"get\""),
    ("a header of the generator's", "accept = ", "Expect = ", "Expect"),
    ("a second host", "accept = ", "host = \"a\", Host = ", "Host"),
    ("another tool's variable", "{uuid}", "${ID}", "'{\"id\":\"${ID}\",\"n\":{int:1..5}}'"),
    ("another tool's variable in a header", "\"*/*\"", "\"Bearer {{token}}\"", "\"****************\""),
    ("a variable that is not set", "\"*/*\"", "\"{env:NO_SUCH}\"", "\"*************\""),
    ("a shell's variable in an argument", "\"sh\", \"-c\", \"exit\"", "\"env\", \"${PORT}\"", "\"${PORT}\""),
    ("a header of two lines", "\"*/*\"", "\"a\\nb\"", "accept"),
    ("an unknown field", "{uuid}", "{uid}", "'{\"id\":\"{uid}\",\"n\":{int:1..5}}'"),
    ("a range that is none", "{int:1..5}", "{int:5..1}", "'{\"id\":\"{uuid}\",\"n\":{int:5..1}}'"),
    ("two bodies", "status = [", "body_file = \"b.jsonl\"\nstatus = [", "\"b.jsonl\""),
    ("no such file of bodies", "body = '{\"id\":\"{uuid}\",\"n\":{int:1..5}}'", "body_file = \"no/such.jsonl\"", "\"no/such.jsonl\""),
    ("no status", "[200, 201]", "[]", "[]"),
    ("a status that is none", "[200, 201]", "[200, 99]", "[200, 99]"),
    ("a class that is none", "[200, 201]", "\"1xx\"", "\"1xx\""),
    ("a body and bodies", "status = [", "body_lines = \"b.jsonl\"\nstatus = [", "\"b.jsonl\""),
    ("a rate beside the experiment's", RATELESS, RATED, "[\"100/s\"]"),
    ("neither model nor command nor url", "command = [\"sh\", \"-c\", \"exit\"]\n", "", "[contender.base]"),
    ("a command and a url", "ready = \"tcp\"", "url = \"http://127.0.0.1:1\"", "\"http://127.0.0.1:1\""),
    ("a command of nothing", "[\"sh\", \"-c\", \"exit\"]", "[]", "[]"),
    ("a command that is text", "[\"sh\", \"-c\", \"exit\"]", "\"node server.js  {port}\"", "\"node server.js  {port}\""),
    ("a command that is text of a shell", "[\"sh\", \"-c\", \"exit\"]", "\"cd app && ./server\"", "\"cd app && ./server\""),
    ("a command that is text with quotes", "[\"sh\", \"-c\", \"exit\"]", "\"./server 'a b'\"", "\"./server 'a b'\""),
    ("no such program", "\"sh\"", "\"no-such-program\"", "\"no-such-program\""),
    ("no such program here", "\"sh\"", "\"./no-such-program\"", "\"./no-such-program\""),
    ("threads of a command", "ready = \"tcp\"", "threads = 4", "4"),
    ("a readiness that is none", "\"tcp\"", "\"healthz\"", "\"healthz\""),
    ("no time to be ready", "ready = \"tcp\"", "ready_within = \"0s\"", "\"0s\""),
    ("a URL that is to stop", "url = \"http://127.0.0.1:8080\"", "url = \"http://127.0.0.1:8080\"\nstop_within = \"1s\"", "\"1s\""),
    ("a variable's name", "ready = \"tcp\"", "env = { \"A-B\" = \"1\" }", "\"A-B\""),
    ("another machine", "127.0.0.1:8080", "192.0.2.1:8080", "\"http://192.0.2.1:8080\""),
    ("a password", "127.0.0.1:8080", "u:s3cret@127.0.0.1:8080", "\"http://********@127.0.0.1:8080\""),
    ("a URL with a path", "127.0.0.1:8080", "127.0.0.1:8080/v1", "\"http://127.0.0.1:8080/v1\""),
    ("a URL that is none", "http://127.0.0.1:8080", "127.0.0.1:8080", "\"127.0.0.1:8080\""),
    ("a mistyped key with a secret", "headers = ", "header = ", "header"),
    ("a variable of another tool in env", "ready = \"tcp\"", "env = { A = \"${TOKEN}\" }", "\"********\""),
    ("variables as text", "ready = \"tcp\"", "env = \"A=s3cret\"", "\"********\""),
    ("a mistyped key of a command", "ready = \"tcp\"", "befor = [\"sh\"]", "befor"),
    ("a mistyped key of a route", "status = [", "statuses = [", "statuses"),
    ("the CPU of anyone's service", "experiment.", "request.cpu = \"40us\"\nexperiment.", "\"40us\""),
    ("the memory of a URL", "ready = \"tcp\"", "ready = \"tcp\"\n[[expect]]\ntext = \"x\"\nmetric = \"rss\"\nof = \"there\"\nat_most = \"5MiB\"", "\"there\""),
];
const ROUTES: &str = "[[route]]\nname = \"charge\"\npath = \"/v1/charge\"\nheaders = { accept = \"*/*\" \
                      }\nbody = '{\"id\":\"{uuid}\",\"n\":{int:1..5}}'\nstatus = [200, \
                      201]\n[[route]]\nname = \"look\"\npath = \"/\"\n";
const RATELESS: &str = "status = [200, 201]\n[[route]]\n";
const RATED: &str = "rate = \"9/s\"\n[[route]]\nrate = \"1/s\"\n";

/// A right file with a gate and nothing else to run.
const RIGHT_GATE: &str = r#"schema = 1
name = "gated"
title = "Gated"
workload = "loyalty"
[[route]]
operation = "account-read"
weight = 9
[[route]]
operation = "distribution"
[contender.base]
model = "event-loop"
[contender.there]
url = "http://127.0.0.1:8080"
[load.open]
duration = "5s"
[gate]
contender = "base"
rate = "60%"
budget = "6m"
metrics = ["p99 of account-read", "cpu_per_request"]
required = ["cpu_per_request"]
margin = { p99 = "20%", cpu_per_request = "3%" }
on_inconclusive = "warn"
"#;

#[rustfmt::skip]
const GATE: &[Case] = &[
    ("a mistyped key of a gate", "budget = ", "buget = ", "buget"),
    ("a gate of nobody", "contender = \"base\"", "contender = \"bse\"", "\"bse\""),
    ("a gate of a URL", "contender = \"base\"", "contender = \"there\"", "\"there\""),
    ("a gate's rate of one's own", "\"60%\"", "\"60% own\"", "\"60% own\""),
    ("a gate's rate without a unit", "\"60%\"", "60", "60"),
    ("a gate of a week", "\"6m\"", "\"7h\"", "\"7h\""),
    ("a gate of ten hours", "\"6m\"", "\"600m\"", "\"600m\""),
    ("a gate in no time", "\"6m\"", "\"0s\"", "\"0s\""),
    ("a gate of nothing", "[\"p99 of account-read\", \"cpu_per_request\"]", "[]", "[]"),
    ("an unknown metric of a gate", "\"cpu_per_request\"]\nrequired", "\"cpu_per_requst\"]\nrequired", "\"cpu_per_requst\""),
    ("a gate's metric twice", "\"cpu_per_request\"]\nrequired", "\"p99 of account-read\"]\nrequired", "\"p99 of account-read\""),
    ("a gate's metric of which request", "\"p99 of account-read\"", "\"p99\"", "\"p99\""),
    ("a gate's metric of no request", "\"p99 of account-read\"", "\"p99 of acount-read\"", "\"p99 of acount-read\""),
    ("a gate's CPU of a request", "\"p99 of account-read\", \"cpu_per_request\"", "\"cpu_per_request of distribution\"", "\"cpu_per_request of distribution\""),
    ("a required metric that is not gated", "required = [\"cpu_per_request\"]", "required = [\"rss\"]", "\"rss\""),
    ("a margin of a metric that is not gated", "{ p99 = ", "{ p90 = ", "p90"),
    ("a margin without a unit", "\"20%\"", "0.2", "0.2"),
    ("no margin", "\"20%\"", "\"0%\"", "\"0%\""),
    ("a margin of more than all", "\"20%\"", "\"120%\"", "\"120%\""),
    ("something else when it is inconclusive", "\"warn\"", "\"wran\"", "\"wran\""),
    ("a gate of a closed load", "[load.open]", "[load.closed]", "[gate]"),
];

#[test]
fn each_mistake_is_told_once_underlined_and_with_what_to_write() {
    let mut gallery = String::new();
    let mut wrong = Vec::new();
    for (base, cases) in [
        (RIGHT, SPELLING),
        (RIGHT, TYPES),
        (RIGHT, MISSING),
        (RIGHT, MEANING),
        (RIGHT, LATER),
        (RIGHT_PAYMENT, PAYMENT),
        (RIGHT_HTTP, HTTP),
        (RIGHT_GATE, GATE),
    ] {
        parse("right.toml", base).unwrap_or_else(|error| panic!("{error}"));
        for (name, from, to, underlined) in cases {
            let mut text = changed(base, from, to);
            if *from == EXPECT {
                text = changed(&text, "seed     = 7", "self_check = true");
            }
            let report = report(&text);
            assert!(!report.contains("s3cret"), "{report}");
            gallery.push_str(&format!("## {name}\n{report}\n\n"));
            let found = underlining(&report);
            if found != *underlined {
                wrong
                    .push(format!("{name}: `{found}` is underlined, not `{underlined}`\n{report}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    insta::assert_snapshot!(gallery);
}

fn changed(base: &str, from: &str, to: &str) -> String {
    assert!(base.contains(from), "{from}");
    base.replacen(from, to, 1)
}

fn report(text: &str) -> String {
    let error = match parse("mine.toml", text) {
        Ok(scenario) => panic!("this was taken:\n{text}\nas {scenario:?}"),
        Err(error) => error,
    };
    assert_eq!(error.exit_code(), 2);
    anstream::adapter::strip_str(&error.to_string()).to_string()
}

/// The text above the carets of a report.
fn underlining(report: &str) -> String {
    let lines: Vec<Vec<char>> = report.lines().map(|line| line.chars().collect()).collect();
    let (number, carets) = lines
        .iter()
        .enumerate()
        .find(|(_, line)| line.contains(&'^') && line.contains(&'|'))
        .unwrap_or_else(|| panic!("nothing is underlined:\n{report}"));
    let columns = (0..carets.len()).filter(|column| carets[*column] == '^');
    columns.filter_map(|column| lines[number - 1].get(column)).collect()
}

#[test]
fn no_key_of_a_built_in_scenario_can_be_mistyped_unnoticed() {
    for (name, text) in BUILTIN {
        for line in text.lines().filter(|line| line.contains('=') && !line.starts_with('#')) {
            let (key, rest) = line.split_once('=').unwrap();
            let mistyped = format!("{}_x ={rest}", key.trim_end());
            let report = report(&text.replacen(line, &mistyped, 1));
            assert!(report.contains("there is no key"), "{name}: {mistyped}\n{report}");
        }
    }
}

#[test]
fn a_byte_order_mark_shifts_no_column() {
    parse("mine.toml", &format!("\u{feff}{RIGHT_PAYMENT}")).unwrap();
    let wrong = changed(RIGHT_PAYMENT, "schema = 1", "schema = true");
    assert_eq!(report(&format!("\u{feff}{wrong}")), report(&wrong));
    assert!(report(&wrong).contains("mine.toml:1:10"), "{}", report(&wrong));
}

#[test]
fn what_is_nested_too_deeply_is_underlined() {
    let key = format!("{RIGHT_PAYMENT}\n[contender{}]\n", ".a".repeat(100));
    let list = format!("{RIGHT_PAYMENT}\ndeep = {}\n", "[".repeat(100));
    for (text, underlined) in [(key, "[contender.a.a"), (list, "[")] {
        let report = report(&text);
        assert!(report.contains("this is nested too deeply"), "{report}");
        assert!(underlining(&report).starts_with(underlined), "{report}");
    }
}

#[test]
fn a_file_that_no_one_has_written_is_refused_by_its_length() {
    let long = RIGHT_PAYMENT.to_owned() + &"# x\n".repeat(1 << 16);
    assert!(report(&long).contains("a scenario has at most 262144"), "{}", report(&long));
}
