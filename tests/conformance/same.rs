//! One sequence of requests leads to the same answers and the same books, whatever the model.

use serde_json::{Value, json};

use bakeoff::conform::bodies::{
    Books, DistributionBody, PaymentBody, blocked_user, closed_merchant, data, merchants, payers,
};
use bakeoff::conform::client::RawClient;

use crate::server::{Mount, with};

/// Requests in the sequence.
const REQUESTS: usize = 600;

/// Signature rounds above and below the estimate of 100 us from which work is offloaded.
const DEAR: u32 = 2_000;

pub(crate) fn every_model_gives_the_same_answers_and_the_same_books() {
    let [first, others @ ..] =
        Mount::RACED.map(|mount| (mount.model, transcript(mount, 0, "auto")));
    for (model, answers) in others {
        assert_same(&answers, &first.1, model);
    }
}

pub(crate) fn cpu_work_gives_the_same_wherever_it_runs(mount: Mount) {
    let inline = transcript(mount, DEAR, "inline");
    for mode in ["offload", "auto"] {
        assert_same(&transcript(mount, DEAR, mode), &inline, mode);
    }
}

fn assert_same(answers: &[Answered], expected: &[Answered], what: &str) {
    for (answer, expected) in answers.iter().zip(expected) {
        assert_eq!(answer, expected, "{what}");
    }
    assert_eq!(answers.len(), expected.len());
}

/// A request, and the status and body that came back.
type Answered = (String, u16, Value);

/// The answers of a fresh server to the sequence, and to `/audit` at its end, which must match what was answered.
fn transcript(mount: Mount, rounds: u32, cpu: &str) -> Vec<Answered> {
    let rounds_flag = rounds.to_string();
    let flags = ["--signature-rounds", &rounds_flag, "--cpu-mode", cpu, "--cores", "2"];
    let server = with(mount, &flags);
    let mut client = RawClient::to(&server);
    let mut session = Session::new(rounds);
    let mut answers = Vec::new();
    for _ in 0..REQUESTS {
        let (asked, method, path, body) = session.next();
        let answer = client.ask(method, &path, &body);
        let json = answer.json();
        session.book(&asked, answer.status);
        answers.push((format!("{method} {path} {body}"), answer.status, json));
    }
    let seen = |status| answers.iter().filter(|(_, s, _)| *s == status).count();
    for status in [200, 201, 400, 402, 404, 405, 409, 422] {
        assert!(
            seen(status) >= 5,
            "only {} answers of {status}: the sequence is too thin",
            seen(status)
        );
    }
    let funds = json!("insufficient_funds");
    assert!(answers.iter().any(|(_, _, body)| body["reason"] == funds), "nobody ran out of money");
    client.get("/audit").expect(200, session.books.json());
    answers
}

/// What was asked for, as far as it can end up in the books.
enum Asked {
    PaymentBody(PaymentBody),
    DistributionBody(DistributionBody),
    Other,
}

/// Draws requests; the same ones every time.
struct Session {
    state: u64,
    rounds: u32,
    payments: Vec<PaymentBody>,
    distributions: Vec<DistributionBody>,
    credited: Vec<u64>,
    books: Books,
}

impl Session {
    fn new(rounds: u32) -> Self {
        Self {
            state: 7,
            rounds,
            payments: Vec::new(),
            distributions: Vec::new(),
            credited: Vec::new(),
            books: Books::default(),
        }
    }

    /// A number below `bound` (SplitMix64, Steele et al. 2014).
    fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn next(&mut self) -> (Asked, &'static str, String, String) {
        match self.below(100) {
            0..50 => self.payment(),
            50..80 => self.distribution(),
            80..95 => {
                let id = self.below(30);
                (Asked::Other, "GET", format!("/loyalty/accounts/{id}"), String::new())
            }
            _ => {
                let (method, path) =
                    [("GET", "/payments"), ("GET", "/nothing")][self.below(2) as usize];
                (Asked::Other, method, path.into(), String::new())
            }
        }
    }

    fn payment(&mut self) -> (Asked, &'static str, String, String) {
        // Three payers who pay much, so that they run out.
        let user = payers().nth(self.below(3) as usize).unwrap();
        let merchant = merchants().nth(self.below(20) as usize).unwrap();
        let limit = data().limits(user).unwrap().per_payment_minor;
        let new = PaymentBody {
            user,
            merchant,
            amount: 1 + self.below(limit / 2),
            rounds: self.rounds,
            ..PaymentBody::new(format!("k-{}", self.payments.len()))
        };
        let earlier = self.below(self.payments.len().max(1) as u64) as usize;
        let earlier = self.payments.get(earlier).cloned().unwrap_or_else(|| new.clone());
        let asked = match self.below(20) {
            0..9 => new,
            9..12 => earlier,
            12..14 => PaymentBody { amount: earlier.amount / 2 + 1, ..earlier },
            14 => PaymentBody { user: blocked_user(), ..new },
            15 => PaymentBody { merchant: closed_merchant(), ..new },
            16 => PaymentBody { amount: limit + 1, ..new },
            17 => PaymentBody { user: 1_000_001, ..new },
            18 => PaymentBody { amount: 0, ..new },
            _ => {
                let body = match self.below(2) {
                    0 => new.body_with("signature", Some(json!("00"))),
                    _ => new.body_with("user_id", None),
                };
                return (Asked::Other, "POST", "/payments".into(), body);
            }
        };
        let body = asked.body();
        (Asked::PaymentBody(asked), "POST", "/payments".into(), body)
    }

    fn distribution(&mut self) -> (Asked, &'static str, String, String) {
        // A business has fewer members than everyone, and what is asked for must be there.
        let business = self.below(5) as u32;
        let most = if business == 0 && self.below(4) == 0 { 5_000 } else { 30 };
        let new = DistributionBody {
            id: self.distributions.len() as u64 + 1,
            business,
            first: 1 + self.below(2_000) as u32,
            accounts: 1 + self.below(most) as u32,
            spend: 100 + self.below(100_000),
        };
        let earlier = self.below(self.distributions.len().max(1) as u64) as usize;
        let earlier = self.distributions.get(earlier).copied().unwrap_or(new);
        let asked = match self.below(10) {
            0..5 => new,
            5..7 => earlier,
            7 => DistributionBody { spend: earlier.spend + 1, ..earlier },
            _ => {
                let body = match self.below(3) {
                    0 => new.body_with("business_id", Some(json!(701))),
                    1 => new.body_with("accounts", Some(json!(0))),
                    _ => new.body_with("accounts", Some(json!("1"))),
                };
                return (Asked::Other, "POST", "/loyalty/distributions".into(), body);
            }
        };
        (Asked::DistributionBody(asked), "POST", "/loyalty/distributions".into(), asked.body())
    }

    /// Books what was acknowledged for the first time; a distribution's answer does not say whether it was.
    fn book(&mut self, asked: &Asked, status: u16) {
        match (asked, status) {
            (Asked::PaymentBody(payment), 201) => {
                self.books.captured(payment);
                self.payments.push(payment.clone());
            }
            (Asked::DistributionBody(distribution), 200)
                if !self.credited.contains(&distribution.id) =>
            {
                self.books.credited(distribution);
                self.credited.push(distribution.id);
                self.distributions.push(*distribution);
            }
            _ => {}
        }
    }
}
