//! What one trial sends: everything the generator knows before its first instant.

pub use super::check::BodyCheck;
pub use super::check::Statuses;
pub use super::extract::{Extract, Origin};
pub use super::peer::{Address, Peer};
pub use super::profile::{Bursts, Spike, Step};
pub use super::replay::Names;
pub use super::replay::Replay;
pub use super::route::{BODIES_BYTES_MAX, Bodies, Body, Route};
pub use super::table::{Format, Pick, TABLE_BYTES_MAX, Table};
use super::template::has_length;
pub use super::template::{
    Fields, InvalidRequest, Template, check_header, check_method, check_path,
};
pub(crate) use super::template::{is_field, with_environment};
pub use super::warm::{Amount, First, WarmUp};
use crate::error::Result;
pub use crate::record::Pace;
use crate::units::{Nanos, Rate, grouped};
use crate::words::words;

/// The whole of a trial's load. The same plan makes the same arrivals and the same bodies, whatever answers.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Plan {
    /// On this machine, unless [`Plan::beyond`].
    pub target: Peer,
    pub shape: Shape,
    /// The rate over the window, where [`Shape::Open`] is not steady; empty where it is. They last as long as the window.
    pub steps: Vec<Step>,
    /// Arrivals of [`Shape::Open`] that are neither steady nor in steps; its rate is their mean.
    pub traffic: Option<Traffic>,
    /// What to send, with weights above 0.
    pub mix: Vec<(Operation, u32)>,
    /// Sent once, in order, before everything else and by nobody's schedule. Templates of the mix may use what it captures.
    pub setup: Vec<SessionStep>,
    /// Sets arrivals, choices and bodies, and is the dataset's seed.
    pub seed: u64,
    /// Rounds have different arrivals and bodies.
    pub round: u32,
    /// Keeps one contender's keys apart from another's; below 2^20. Does not touch arrivals or amounts.
    pub salt: u32,
    /// Sent before the window and not recorded.
    pub warm_up: WarmUp,
    pub duration: Nanos,
    /// Connections in all, spread over the threads.
    pub connections: usize,
    pub threads: usize,
    /// An answer that takes longer than this from the write is a timeout, and so is a request that finds no free
    /// connection within it of its intended instant. (Were both bounds on the one clock of the intended instant, an
    /// overloaded server would be sent only requests about to be given up, and look dead.)
    pub timeout: Nanos,
    /// The response time that the service promises; how it is kept over time is recorded. Open loop only.
    pub objective: Option<Nanos>,
    /// Keeps the response times of each tenth of a second, which is what the picture of a fault is made of.
    pub timeline: bool,
    /// How a thread waits for an instant.
    pub pace: Pace,
    /// The core of each thread, in turn; empty leaves the inherited mask.
    pub cores: Vec<usize>,
    /// Whether a connection carries one request after another. Else each request opens its own once it is due, and the
    /// time from the write is that from the connect.
    pub keep_alive: bool,
    /// Which of the requests this generator sends. The connections are its own.
    pub part: Part,
    /// Whether the target may be on another machine: one whose agent has its address.
    pub beyond: bool,
}

impl Plan {
    /// The plainest load: one connection for a second from a cold start. What differs from it is set beside it.
    pub fn new(target: impl Into<Peer>, shape: Shape, mix: Vec<(Operation, u32)>) -> Self {
        Self {
            target: target.into(),
            shape,
            steps: Vec::new(),
            traffic: None,
            mix,
            setup: Vec::new(),
            seed: 42,
            round: 1,
            salt: 0,
            warm_up: WarmUp::Through(Nanos(0)),
            duration: Nanos::SECOND,
            connections: 1,
            threads: 1,
            timeout: Nanos::SECOND,
            objective: None,
            timeline: false,
            pace: Pace::Sleep,
            cores: Vec::new(),
            keep_alive: true,
            part: Part::WHOLE,
            beyond: false,
        }
    }

    /// About how long its load takes.
    pub fn expected(&self) -> Nanos {
        let rate = match self.shape {
            Shape::Open { rate, .. } => Some(rate),
            Shape::Ramp { from, .. } => Some(from),
            Shape::Closed => None,
        };
        self.warm_up.expected(rate) + self.duration
    }

    fn sessions(&self) -> impl Iterator<Item = &UserSession> {
        self.mix.iter().filter_map(|(operation, _)| match operation {
            Operation::Session(session) => Some(session),
            _ => None,
        })
    }

    /// How long the user of a session thinks at most, all steps together.
    pub(crate) fn thinking(&self) -> Nanos {
        self.sessions().map(UserSession::thinking).max().unwrap_or_default()
    }

    /// The longest time of a request or session: each step of one has a timeout.
    pub(crate) fn longest(&self) -> Nanos {
        let steps = self.sessions().map(|session| session.steps.len()).max().unwrap_or(1);
        Nanos(self.timeout.0.saturating_mul(steps as u64))
    }
}

/// One generator's part of a load that several send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// Below `of`.
    pub index: u32,
    /// Generators.
    pub of: u32,
}

impl Part {
    /// One generator sends everything.
    pub const WHOLE: Self = Self { index: 0, of: 1 };
}

/// Whether sending waits for answers.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Shape {
    /// At intended instants, whatever comes back.
    Open {
        /// Mean arrivals per second.
        rate: Rate,
        /// How they are spread.
        arrivals: Arrivals,
    },
    /// At intended instants whose rate goes from one to another in a straight line, over the window; the warm-up has the
    /// first rate.
    Ramp {
        /// Arrivals per second at the window's start.
        from: Rate,
        to: Rate,
        /// How they are spread around it.
        arrivals: Arrivals,
    },
    /// Every connection sends when its answer has come. Has no response time.
    Closed,
}

/// Arrivals that rise and fall by themselves.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Traffic {
    Bursts(Bursts),
    Replay(Replay),
}

impl Traffic {
    /// What a reader should know, in sentences.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Self::Bursts(bursts) => vec![format!("the load comes in bursts, {bursts}")],
            Self::Replay(replay) => {
                let (n, lasting) = (grouped(replay.len() as f64), replay.lasting());
                let first = format!("the load repeats {n} arrivals of {lasting}");
                let own = replay.notes().iter().map(|note| format!("arrivals of the file: {note}"));
                std::iter::once(first).chain(own).collect()
            }
        }
    }
}

words! {
    "kind of arrivals"
    /// How arrivals are spread over time.
    #[derive(Default, serde::Serialize)]
    pub enum Arrivals {
        /// Independent users.
        #[default]
        Poisson = "poisson",
        /// Equal gaps.
        Constant = "constant",
    }
}

/// One kind of request. Each has histograms of its own.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Operation {
    /// `POST /payments` with a fresh key; the signature has `rounds` stretches.
    Payment {
        /// As the contender was started with.
        rounds: u32,
    },
    /// `POST /loyalty/distributions` with a fresh id.
    Distribution {
        /// Members of each.
        accounts: u32,
    },
    /// `GET /loyalty/accounts/{id}`
    AccountRead,
    /// An earlier payment of the mix once more, with its key: it must change nothing.
    Replay,
    /// `POST /webhooks` with a fresh event.
    Webhook,
    /// `GET /gateway/{id}`
    Gateway,
    /// The same request each time: `drive`, and the null route.
    Fixed(Fixed),
    /// A request to anyone's service, with seeded fields.
    Route(Route),
    /// Several requests of one user, in order.
    Session(UserSession),
}

/// Requests that one user sends in order. One that fails ends the session, and the whole of it has failed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct UserSession {
    /// The kind's name in reports.
    pub name: String,
    /// At least one.
    pub steps: Vec<SessionStep>,
}

impl UserSession {
    /// How long its user thinks, all steps together.
    pub(crate) fn thinking(&self) -> Nanos {
        Nanos(self.steps.iter().map(|step| step.think.0).sum())
    }
}

/// One request of a session. The first is due at the session's intended instant, each later one when its think time after
/// the answer before it is over.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SessionStep {
    pub name: String,
    /// No session, and no replay.
    pub operation: Operation,
    pub think: Nanos,
    /// What the templates of later steps may use, in the order of all the session's values.
    pub extract: Vec<Extract>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fixed {
    /// The kind's name in reports.
    pub name: String,
    pub method: String,
    pub path: String,
    pub host: String,
    pub headers: Vec<(String, String)>,
    /// May be empty.
    pub body: Vec<u8>,
    /// Answers with another status are errors.
    pub expect_status: Statuses,
    /// And so are those with another body.
    pub expect_body: Option<BodyCheck>,
}

impl Operation {
    /// Whether the bodies of answers are looked at beyond what the contract has, and whether their heads are.
    pub(crate) fn looks_at(&self) -> (bool, bool) {
        match self {
            Self::Fixed(fixed) => (fixed.expect_body.is_some(), false),
            Self::Route(route) => (route.expect_body.is_some(), false),
            Self::Session(session) => {
                let json = |one: &Extract| matches!(one.from, Origin::Json(_));
                let of = |step: &SessionStep| {
                    let (body, head) = step.operation.looks_at();
                    let all = &step.extract;
                    (body || all.iter().any(json), head || !all.iter().all(json))
                };
                let both = session.steps.iter().map(of);
                both.fold((false, false), |sum, one| (sum.0 || one.0, sum.1 || one.1))
            }
            _ => (false, false),
        }
    }

    /// The kind's name in scenarios and reports.
    pub fn name(&self) -> &str {
        match self {
            Self::Payment { .. } => "payment",
            Self::Distribution { .. } => "distribution",
            Self::AccountRead => "account-read",
            Self::Replay => "replay",
            Self::Webhook => "webhook",
            Self::Gateway => "gateway",
            Self::Fixed(fixed) => &fixed.name,
            Self::Route(route) => &route.name,
            Self::Session(session) => &session.name,
        }
    }
}

/// The request line, `Host`, the given headers, a `Content-Length` where there is a body, and the body. `close` asks for
/// the connection's end after the answer.
pub(crate) fn fixed_bytes(fixed: &Fixed, close: bool) -> Result<Vec<u8>> {
    check_method(&fixed.method).map_err(InvalidRequest::into_error)?;
    check_path(&Template::of_bytes(fixed.path.as_bytes()), &fixed.path)
        .map_err(InvalidRequest::into_error)?;
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", fixed.method, fixed.path, fixed.host);
    for (name, value) in &fixed.headers {
        check_header(name, &Template::of_bytes(value.as_bytes()))
            .map_err(InvalidRequest::into_error)?;
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if close {
        head.push_str("connection: close\r\n");
    }
    if has_length(&fixed.method, fixed.body.is_empty()) {
        head.push_str(&format!("content-length: {}\r\n", fixed.body.len()));
    }
    head.push_str("\r\n");
    Ok([head.as_bytes(), &fixed.body].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_request_is_checked_before_it_is_sent() {
        let fixed = |method: &str, path: &str, header: (&str, &str)| {
            let fixed = Fixed {
                name: "x".into(),
                method: method.into(),
                path: path.into(),
                host: "localhost".into(),
                headers: vec![(header.0.into(), header.1.into())],
                body: b"hi".to_vec(),
                expect_status: crate::load::plan::Statuses::default(),
                expect_body: None,
            };
            fixed_bytes(&fixed, false)
        };
        let text = String::from_utf8(fixed("POST", "/a?b=1", ("x-y", "z")).unwrap()).unwrap();
        assert_eq!(
            text,
            "POST /a?b=1 HTTP/1.1\r\nhost: localhost\r\nx-y: z\r\ncontent-length: 2\r\n\r\nhi"
        );
        for (method, path, header) in [
            ("G T", "/", ("a", "b")),
            ("GET", "a", ("a", "b")),
            ("GET", "/a b", ("a", "b")),
            ("GET", "/", ("a", "b\r\nc: d")),
            ("GET", "/", ("a b", "c")),
            ("GET", "/", ("Content-Length", "9")),
        ] {
            assert!(fixed(method, path, header).is_err(), "{method} {path} {header:?}");
        }
    }
}
