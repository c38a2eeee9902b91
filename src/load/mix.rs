//! What each request is: its operation, its bytes and the answer it must get, from (seed, round, salt, k).
//!
//! Requests are written by hand into buffers that are used again: no allocation and no serialiser between two sends.

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use super::check::Expect;
use super::extract::Extract;
use super::ids::{PaymentKey, distribution_id};
use super::plan::{Operation, Plan, SessionStep};
use super::route::Prepared;
use super::template::{Draws, push_integer};
use crate::domain::dataset::{Account, BUSINESSES, Dataset, EVERYONE, POPULATION, Tier};
use crate::domain::loyalty::Distribution;
use crate::domain::payment::{Currency, Payment, canonical, decide, fee_minor};
use crate::domain::signature::{KEYS, Key};
use crate::error::{Error, Result};
use crate::load::plan::fixed_bytes;
use crate::random::{Purpose, Stream};
use crate::units::Nanos;

/// Every business has at least so many members.
const MEMBERS_MIN: u32 = POPULATION / BUSINESSES;
/// Amounts are skewed towards the small end of this range, minor units, and far below every limit: a trial must not
/// turn into declines as balances run out.
const AMOUNT_MINOR: std::ops::RangeInclusive<u64> = 100..=50_000;
/// What a distribution's points are for, minor units.
const SPEND_MINOR: std::ops::RangeInclusive<u64> = 1_000..=200_000;
/// Distributions of at most so many accounts have their points checked exactly, larger ones by their bounds.
const EXACT_ACCOUNTS_MAX: u32 = 64;
/// How far before a replay its payment was due, in requests: it is answered by then, unless the server is behind.
const REPLAY_BACK_MIN: u64 = 256;
/// Where none of so many is a payment, a replay is the first of its key.
const REPLAY_BACK_MAX: u64 = REPLAY_BACK_MIN + 1_024;
/// The fields of a session's step are counted from so many times its place.
const FIELDS_OF_A_STEP: u64 = 1 << 40;
/// Sets the stream of salted fields apart from those of places.
const SALTED: u64 = 1 << 32;
/// No account gets less than the first of these, and none more than the second.
const LEAST_AND_MOST_REWARDED: [Account; 2] = [
    Account { tier: Tier::Basic, cap_points: 500 },
    Account { tier: Tier::Platinum, cap_points: 2_000 },
];

/// The operations of a plan and everything that makes their requests.
#[derive(Debug)]
pub(crate) struct Mix {
    sources: Vec<Source>,
    /// The sum of the weights up to and with each operation.
    up_to: Vec<u64>,
    operations: Stream,
    bodies: Stream,
    data: Dataset,
    salt: u32,
    round: u32,
    host: String,
    /// The place of the payments of which some are sent twice.
    repeated: Option<usize>,
    /// What the setup has captured, for all requests.
    values: Arc<[Vec<u8>]>,
}

/// The stretched keys of payments by slot.
type Keys = [Key; KEYS as usize];

/// One operation, with what its requests share.
#[derive(Debug)]
enum Source {
    /// Stretching the keys is the server's work, a client keeps them.
    Payment(Box<Keys>),
    Distribution {
        accounts: u32,
    },
    AccountRead,
    /// Payments of another place, once more.
    Replay(usize),
    Webhook,
    Gateway,
    Fixed {
        bytes: Vec<u8>,
        expect: Expect,
        head: bool,
    },
    Route(Box<Prepared>),
    Session(Vec<SourceStep>),
}

/// A step of a session.
#[derive(Debug)]
struct SourceStep {
    source: Source,
    think: Nanos,
    extract: Vec<Extract>,
}

/// A step of one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) k: u64,
    /// The place of the session in the mix.
    pub(crate) operation: usize,
    pub(crate) step: usize,
}

/// A request, ready to be sent. Its buffer is used again for the next one.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// Which of the schedule; none yet written.
    pub(crate) k: Option<u64>,
    /// The place of its operation in the mix.
    pub(crate) operation: usize,
    /// Of a session, which of its steps.
    pub(crate) step: usize,
    /// The visit that it belongs to, once it is sent.
    pub(crate) visit: Option<u32>,
    /// What was captured from its answer.
    pub(crate) values: Vec<Vec<u8>>,
    pub(crate) expect: Expect,
    /// Whether its answer has no body whatever its head says.
    pub(crate) head: bool,
    pub(crate) len: usize,
    /// Empty for a fixed request, whose bytes the mix has.
    bytes: Vec<u8>,
    body: Vec<u8>,
}

impl Mix {
    /// Checks the operations and stretches the keys; `values` are what the plan's setup has captured.
    ///
    /// # Errors
    /// An empty mix, a weight of 0, a distribution larger than the population, or a fixed request that is no HTTP.
    pub(crate) fn new(plan: &Plan, values: Arc<[Vec<u8>]>) -> Result<Self> {
        if plan.mix.is_empty() || plan.mix.iter().any(|(_, weight)| *weight == 0) {
            return Err(Error::usage(
                "a mix needs at least one operation, each with a weight above 0",
            ));
        }
        let source = |(operation, _): &(Operation, u32)| Source::new(operation, plan);
        let sources: Vec<Source> = plan.mix.iter().map(source).collect::<Result<_>>()?;
        let repeated = sources.iter().find_map(|source| match source {
            Source::Replay(place) => Some(*place),
            _ => None,
        });
        let mut sum = 0;
        Ok(Self {
            sources,
            repeated,
            up_to: plan
                .mix
                .iter()
                .map(|(_, weight)| {
                    sum += u64::from(*weight);
                    sum
                })
                .collect(),
            operations: Stream::new(plan.seed, plan.round, Purpose::Operations),
            bodies: Stream::new(plan.seed, plan.round, Purpose::Bodies),
            data: Dataset::new(plan.seed),
            salt: plan.salt,
            round: plan.round,
            host: plan.target.at.host(),
            values,
        })
    }

    /// The operation of `k`, by weight.
    pub(crate) fn operation(&self, k: u64) -> usize {
        let [.., all] = self.up_to[..] else { return 0 };
        let ticket = self.operations.below(k, all);
        self.up_to.partition_point(|&up_to| up_to <= ticket)
    }

    /// Writes the request of `k`; of a session, its first step.
    pub(crate) fn write(&self, k: u64, request: &mut Request) {
        request.operation = self.operation(k);
        request.step = 0;
        self.fill(k, &[], request);
    }

    /// Writes the next step of a session.
    pub(crate) fn write_step(&self, turn: Turn, values: &[Vec<u8>], request: &mut Request) {
        (request.operation, request.step) = (turn.operation, turn.step);
        self.fill(turn.k, values, request);
    }

    fn fill(&self, k: u64, values: &[Vec<u8>], request: &mut Request) {
        request.k = Some(k);
        request.visit = None;
        request.values.clear();
        request.body.clear();
        request.bytes.clear();
        request.head = false;
        let draws = self.bodies.child(k);
        let expect = match self.source(request) {
            Source::Payment(keys) => {
                let repeated = self.repeated == Some(request.operation);
                self.payment(k, keys, repeated, request)
            }
            Source::Replay(payments) => {
                let Source::Payment(keys) = &self.sources[*payments] else {
                    unreachable!("a replay's place is that of payments")
                };
                self.payment(self.replayed(k, *payments), keys, true, request)
            }
            Source::Session(_) => unreachable!("a step is no session"),
            Source::Webhook => self.webhook(k, draws, request),
            Source::Gateway => self.gateway(draws, request),
            Source::Distribution { accounts } => self.distribution(k, draws, *accounts, request),
            Source::AccountRead => self.account_read(draws, request),
            Source::Fixed { expect, head, .. } => {
                request.head = *head;
                expect.clone()
            }
            Source::Route(route) => {
                request.head = route.is_head;
                if route.constant.is_none() {
                    let own = draws.child(SALTED | u64::from(self.salt));
                    let key = PaymentKey::new(self.salt, self.round, k);
                    let setup = &self.values;
                    let draws = Draws { k, shared: draws, own, key, setup, session: values };
                    let place = request.step as u64 * FIELDS_OF_A_STEP;
                    route.write(&draws, place, &mut request.bytes, &mut request.body);
                }
                route.expect.clone()
            }
        };
        request.expect = expect;
        request.len = self.bytes(request).len();
    }

    /// What goes over the wire for `request`.
    pub(crate) fn bytes<'a>(&'a self, request: &'a Request) -> &'a [u8] {
        match self.source(request) {
            Source::Fixed { bytes, .. } => bytes,
            Source::Route(route) => route.constant.as_ref().unwrap_or(&request.bytes),
            _ => &request.bytes,
        }
    }

    /// Whether `operation` is a session.
    pub(crate) fn is_session(&self, operation: usize) -> bool {
        matches!(self.sources[operation], Source::Session(_))
    }

    /// What the answer to `request` must have for later steps.
    pub(crate) fn extracts(&self, request: &Request) -> &[Extract] {
        match &self.sources[request.operation] {
            Source::Session(steps) => &steps[request.step].extract,
            _ => &[],
        }
    }

    /// How long the user of a session thinks before this step; nothing where there is none.
    pub(crate) fn think(&self, turn: Turn) -> Option<Nanos> {
        match &self.sources[turn.operation] {
            Source::Session(steps) => steps.get(turn.step).map(|step| step.think),
            _ => None,
        }
    }

    fn source(&self, request: &Request) -> &Source {
        match &self.sources[request.operation] {
            Source::Session(steps) => &steps[request.step].source,
            source => source,
        }
    }

    /// The payment that the replay `k` repeats: the last one that is so far back that it has most likely been answered.
    /// Where there is none, a new payment.
    fn replayed(&self, k: u64, payments: usize) -> u64 {
        let back = (REPLAY_BACK_MIN..REPLAY_BACK_MAX).map_while(|back| k.checked_sub(back));
        back.into_iter().find(|&earlier| self.operation(earlier) == payments).unwrap_or(k)
    }

    fn payment(&self, k: u64, keys: &Keys, repeated: bool, request: &mut Request) -> Expect {
        let draws = self.bodies.child(k);
        let span = AMOUNT_MINOR.end() - AMOUNT_MINOR.start() + 1;
        let u = draws.at(2) >> 32;
        let payment = Payment {
            user_id: 1 + draws.below(0, u64::from(POPULATION)) as u32,
            merchant_id: 1 + draws.below(1, u64::from(BUSINESSES)) as u32,
            // The square of a uniform number: half of the amounts lie in the lowest quarter.
            amount_minor: AMOUNT_MINOR.start() + ((((u * u) >> 32) * span) >> 32),
            currency: [Currency::Eur, Currency::Usd, Currency::Gbp][draws.below(3, 3) as usize],
        };
        let id = PaymentKey::new(self.salt, self.round, k);
        let key = keys[(payment.merchant_id % KEYS) as usize];
        let signature = key.sign(canonical(id.as_str(), &payment));

        let body = &mut request.body;
        body.extend_from_slice(b"{\"idempotency_key\":\"");
        body.extend_from_slice(id.as_str().as_bytes());
        body.extend_from_slice(b"\",\"user_id\":");
        push_integer(body, payment.user_id.into());
        body.extend_from_slice(b",\"merchant_id\":");
        push_integer(body, payment.merchant_id.into());
        body.extend_from_slice(b",\"amount_minor\":");
        push_integer(body, payment.amount_minor);
        body.extend_from_slice(b",\"currency\":\"");
        body.extend_from_slice(payment.currency.code().as_bytes());
        body.extend_from_slice(b"\",\"signature\":\"");
        body.extend_from_slice(signature.as_bytes());
        body.extend_from_slice(b"\"}");
        self.post("/payments", request);

        let known = "the ids are drawn from the tables";
        let merchant = self.data.merchant(payment.merchant_id).expect(known);
        let user = self.data.user(payment.user_id).expect(known);
        let limits = self.data.limits(payment.user_id).expect(known);
        Expect::Payment {
            key: id,
            amount_minor: payment.amount_minor,
            fee_minor: fee_minor(payment.amount_minor, merchant),
            decision: decide(&payment, user, merchant, limits, true),
            repeated,
        }
    }

    fn webhook(&self, k: u64, draws: Stream, request: &mut Request) -> Expect {
        let event = PaymentKey::new(self.salt, self.round, k);
        let body = &mut request.body;
        body.extend_from_slice(b"{\"event_id\":\"");
        body.extend_from_slice(event.as_str().as_bytes());
        body.extend_from_slice(b"\",\"body\":\"payment ");
        push_integer(body, draws.below(0, u64::from(POPULATION)));
        body.extend_from_slice(b" was captured\"}");
        self.post("/webhooks", request);
        Expect::Webhook { event }
    }

    fn gateway(&self, draws: Stream, request: &mut Request) -> Expect {
        let id = 1 + draws.below(0, u64::from(POPULATION)) as u32;
        self.get("/gateway/", id, request);
        Expect::Gateway { id, values: [id, id + 1].map(|id| self.data.upstream_value(id)) }
    }

    fn distribution(&self, k: u64, draws: Stream, accounts: u32, request: &mut Request) -> Expect {
        let (business, first) = if accounts <= MEMBERS_MIN {
            let business = 1 + draws.below(0, u64::from(BUSINESSES)) as u32;
            let skipped = draws.below(1, u64::from(MEMBERS_MIN - accounts) + 1) as u32;
            (business, business + BUSINESSES * skipped)
        } else {
            (EVERYONE, 1 + draws.below(1, u64::from(POPULATION - accounts) + 1) as u32)
        };
        let id = distribution_id(self.salt, self.round, k);
        let span = SPEND_MINOR.end() - SPEND_MINOR.start() + 1;
        let spend_minor = SPEND_MINOR.start() + draws.below(2, span);

        let body = &mut request.body;
        for (name, value) in [
            (&b"{\"distribution_id\":"[..], id),
            (b",\"business_id\":", business.into()),
            (b",\"first_account\":", first.into()),
            (b",\"accounts\":", accounts.into()),
            (b",\"spend_minor\":", spend_minor),
        ] {
            body.extend_from_slice(name);
            push_integer(body, value);
        }
        body.push(b'}');
        self.post("/loyalty/distributions", request);

        let (id, business, first) = (id, business.into(), first.into());
        let distribution =
            Distribution::new(self.data, id, business, first, accounts.into(), spend_minor)
                .expect("the first account leaves enough members");
        let (points_min, points_max) = self.points(&distribution);
        Expect::Distribution { accounts, points_min, points_max }
    }

    /// The least and the most points that a distribution can come to.
    fn points(&self, distribution: &Distribution) -> (u64, u64) {
        let members = distribution.members;
        if members.len() <= EXACT_ACCOUNTS_MAX {
            let account = |index| self.data.account(members.id(index)).expect("members exist");
            let points = (0..members.len()).map(|index| distribution.points(account(index))).sum();
            return (points, points);
        }
        let [low, high] = LEAST_AND_MOST_REWARDED
            .map(|account| u64::from(members.len()) * distribution.points(account));
        (low, high)
    }

    fn account_read(&self, draws: Stream, request: &mut Request) -> Expect {
        let id = 1 + draws.below(0, u64::from(POPULATION)) as u32;
        self.get("/loyalty/accounts/", id, request);
        let account = self.data.account(id).expect("the id is drawn from the table");
        Expect::Account { id, tier: account.tier }
    }

    fn get(&self, path: &str, id: u32, request: &mut Request) {
        let bytes = &mut request.bytes;
        bytes.extend_from_slice(b"GET ");
        bytes.extend_from_slice(path.as_bytes());
        push_integer(bytes, id.into());
        bytes.extend_from_slice(b" HTTP/1.1\r\nhost: ");
        bytes.extend_from_slice(self.host.as_bytes());
        bytes.extend_from_slice(b"\r\n\r\n");
    }

    /// Puts a head before the body.
    fn post(&self, path: &str, request: &mut Request) {
        let Request { bytes, body, .. } = request;
        bytes.extend_from_slice(b"POST ");
        bytes.extend_from_slice(path.as_bytes());
        bytes.extend_from_slice(b" HTTP/1.1\r\nhost: ");
        bytes.extend_from_slice(self.host.as_bytes());
        bytes.extend_from_slice(b"\r\ncontent-type: application/json\r\ncontent-length: ");
        push_integer(bytes, body.len() as u64);
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(body);
    }
}

impl Source {
    fn new(operation: &Operation, plan: &Plan) -> Result<Self> {
        let (seed, close) = (plan.seed, !plan.keep_alive);
        Ok(match operation {
            Operation::Payment { rounds } => Self::Payment(Box::new(std::array::from_fn(|slot| {
                Key::stretch(seed, slot as u32, *rounds)
            }))),
            Operation::Distribution { accounts } if (1..=POPULATION).contains(accounts) => {
                Self::Distribution { accounts: *accounts }
            }
            Operation::Distribution { accounts } => {
                return Err(Error::usage(format!(
                    "a distribution to {accounts} accounts is not one to 1..={POPULATION}"
                )));
            }
            Operation::AccountRead => Self::AccountRead,
            Operation::Webhook => Self::Webhook,
            Operation::Gateway => Self::Gateway,
            Operation::Replay => {
                let payments =
                    |(one, _): &(Operation, u32)| matches!(one, Operation::Payment { .. });
                let place = plan.mix.iter().position(payments);
                Self::Replay(
                    place.ok_or_else(|| {
                        Error::usage("a replay repeats payments, and none are sent")
                    })?,
                )
            }
            Operation::Fixed(fixed) => Self::Fixed {
                bytes: fixed_bytes(fixed, close)?,
                expect: Expect::of(fixed.expect_status, fixed.expect_body.clone()),
                head: fixed.method == "HEAD",
            },
            Operation::Route(route) => {
                Self::Route(Box::new(Prepared::new(route, &plan.target.at.host(), close)?))
            }
            Operation::Session(session) => {
                let step = |step: &SessionStep| {
                    let source = Self::new(&step.operation, plan)?;
                    Ok(SourceStep { source, think: step.think, extract: step.extract.clone() })
                };
                Self::Session(session.steps.iter().map(step).collect::<Result<_>>()?)
            }
        })
    }
}
