//! What a mix writes: right, signed, new each time, and the same for each contender.

use super::*;
use crate::load::plan::{SessionStep, Shape, Statuses, UserSession};
use crate::load::route::{Body, Route};
use crate::load::template::Template;

const EVERYTHING: [Operation; 3] = [
    Operation::Payment { rounds: 3 },
    Operation::Distribution { accounts: 1_000 },
    Operation::AccountRead,
];

pub(crate) fn plan(mix: Vec<(Operation, u32)>) -> Plan {
    let target = std::net::SocketAddr::from(([127, 0, 0, 1], 80));
    Plan { salt: 7, ..Plan::new(target, Shape::Closed, mix) }
}

fn body(mix: &Mix, k: u64) -> (serde_json::Value, Expect) {
    let mut request = Request::default();
    mix.write(k, &mut request);
    let text = std::str::from_utf8(mix.bytes(&request)).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    (serde_json::from_str(body).unwrap(), request.expect)
}

#[test]
fn payments_are_right_signed_and_small() {
    let mix = Mix::new(&plan(vec![(EVERYTHING[0].clone(), 1)]), [].into()).unwrap();
    let (mut declined, mut sum) = (0, 0);
    for k in 0..2_000 {
        let (body, expect) = body(&mix, k);
        let field = |name: &str| body[name].as_u64().unwrap();
        let currency = body["currency"].as_str().unwrap();
        let payment =
            Payment::new(field("user_id"), field("merchant_id"), field("amount_minor"), currency);
        let (payment, key) = (payment.unwrap(), body["idempotency_key"].as_str().unwrap());
        assert!(crate::domain::payment::is_key(key));
        let signature = Key::stretch(42, payment.merchant_id, 3).sign(canonical(key, &payment));
        assert!(signature.is(body["signature"].as_str().unwrap()));
        assert!(AMOUNT_MINOR.contains(&payment.amount_minor));
        let Expect::Payment { amount_minor, decision, .. } = expect else { panic!() };
        assert_eq!(amount_minor, payment.amount_minor);
        declined += u32::from(decision.is_err());
        sum += amount_minor;
    }
    assert!((10..100).contains(&declined), "{declined}: one in fifty is blocked or closed");
    assert!((15_000..19_000).contains(&(sum / 2_000)), "{sum}");
}

#[test]
fn distributions_are_ones_that_the_domain_accepts() {
    for accounts in [1, 64, 65, 1_000, MEMBERS_MIN, MEMBERS_MIN + 1, POPULATION] {
        let mix =
            Mix::new(&plan(vec![(Operation::Distribution { accounts }, 1)]), [].into()).unwrap();
        for k in 0..50 {
            let (body, expect) = body(&mix, k);
            let field = |name: &str| body[name].as_u64().unwrap();
            assert!(field("distribution_id") < 1 << 53);
            let distribution = Distribution::new(
                Dataset::new(42),
                field("distribution_id"),
                field("business_id"),
                field("first_account"),
                field("accounts"),
                field("spend_minor"),
            )
            .unwrap();
            let Expect::Distribution { points_min, points_max, .. } = expect else { panic!() };
            if accounts <= 1_000 {
                let members = distribution.members;
                let account = |i| Dataset::new(42).account(members.id(i)).unwrap();
                let points: u64 = (0..members.len()).map(|i| distribution.points(account(i))).sum();
                assert!((points_min..=points_max).contains(&points), "{points}");
                assert!(accounts > 64 || points_min == points_max);
            }
        }
    }
}

#[test]
fn the_salt_touches_ids_and_nothing_else() {
    let all = |salt| {
        let mix: Vec<_> = EVERYTHING.into_iter().map(|operation| (operation, 1)).collect();
        let mix = Mix::new(&Plan { salt, ..plan(mix) }, [].into()).unwrap();
        (0..200).map(move |k| {
            let mut request = Request::default();
            mix.write(k, &mut request);
            let text = String::from_utf8(mix.bytes(&request).to_vec()).unwrap();
            (request.operation, text)
        })
    };
    let mut kinds = [0; 3];
    for ((operation, a), (other, b)) in all(1).zip(all(2)) {
        assert_eq!(operation, other);
        kinds[operation] += 1;
        let strip = |text: &str| {
            let body = text.split("\r\n\r\n").nth(1).unwrap().to_owned();
            let mut value = serde_json::from_str::<serde_json::Value>(&body).unwrap_or_default();
            for own in ["idempotency_key", "signature", "distribution_id"] {
                if let Some(own) = value.get_mut(own) {
                    *own = serde_json::Value::Null;
                }
            }
            value
        };
        assert_eq!(strip(&a), strip(&b));
        assert_eq!(a == b, operation == 2, "only reads carry no id");
        assert!(operation != 0 || a.len() == b.len());
    }
    assert!(kinds.iter().all(|&count| count > 30), "{kinds:?}");
}

#[test]
fn a_replay_is_an_earlier_payment_to_the_byte() {
    let operations = vec![(Operation::Payment { rounds: 0 }, 9), (Operation::Replay, 1)];
    let mix = Mix::new(&plan(operations), [].into()).unwrap();
    let written = |k| {
        let mut request = Request::default();
        mix.write(k, &mut request);
        (request.operation, mix.bytes(&request).to_vec(), request.expect)
    };
    let all: Vec<_> = (0..3_000).map(written).collect();
    let (mut replays, mut first) = (0, 0);
    for (k, (operation, bytes, expect)) in all.iter().enumerate() {
        assert!(matches!(expect, Expect::Payment { repeated: true, .. }));
        if *operation == 1 {
            replays += 1;
            let earlier = all[..k].iter().rposition(|(_, other, _)| other == bytes);
            match earlier {
                Some(at) => assert!(k - at >= 256 || all[at].0 == 1, "{k} repeats {at}"),
                None => first += 1,
            }
        }
    }
    assert!((200..400).contains(&replays) && first < 50, "{replays} {first}");
    assert!(Mix::new(&plan(vec![(Operation::Replay, 1)]), [].into()).is_err());
}

#[test]
fn events_are_new_and_gateways_know_what_the_upstream_says() {
    let mix = Mix::new(&plan(vec![(Operation::Webhook, 1)]), [].into()).unwrap();
    let ids: std::collections::HashSet<String> =
        (0..100).map(|k| body(&mix, k).0["event_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 100);
    let mix = Mix::new(&plan(vec![(Operation::Gateway, 1)]), [].into()).unwrap();
    let mut request = Request::default();
    mix.write(5, &mut request);
    let Expect::Gateway { id, values } = request.expect else { panic!() };
    let text = String::from_utf8(mix.bytes(&request).to_vec()).unwrap();
    assert!(text.starts_with(&format!("GET /gateway/{id} HTTP/1.1\r\n")), "{text}");
    assert_eq!(values[1], Dataset::new(42).upstream_value(id + 1));
}

#[test]
fn operations_follow_their_weights() {
    let mix = plan(vec![(EVERYTHING[2].clone(), 9), (EVERYTHING[0].clone(), 1)]);
    let mix = Mix::new(&mix, [].into()).unwrap();
    let payments = (0..10_000).filter(|&k| mix.operation(k) == 1).count();
    assert!((850..1_150).contains(&payments), "{payments}");
}

/// A session is drawn from its number and the step: a later step does not repeat an earlier one, and a step that is written
/// once more is the same.
#[test]
fn fields_differ_from_step_to_step_and_the_key_does_not() {
    let step = |name: &str| {
        let route = Route {
            name: name.into(),
            method: "POST".into(),
            path: Template::parse("/").unwrap(),
            headers: Vec::new(),
            body: Body::Template(
                Template::parse(r#"{"id":"{uuid}","n":{int:1..1000000000},"key":"{key}"}"#)
                    .unwrap(),
            ),
            status: Statuses::default(),
            expect_body: None,
        };
        let operation = Operation::Route(route);
        SessionStep { name: name.into(), operation, think: Nanos(0), extract: Vec::new() }
    };
    let steps = ["login", "pay"].map(step).into();
    let session = Operation::Session(UserSession { name: "buy".into(), steps });
    let mix = Mix::new(&plan(vec![(session, 1)]), Arc::default()).unwrap();
    let at = |k, step| {
        let mut request = Request::default();
        mix.write_step(Turn { k, operation: 0, step }, &[], &mut request);
        let text = std::str::from_utf8(mix.bytes(&request)).unwrap().to_owned();
        serde_json::from_str::<serde_json::Value>(text.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let (login, pay, others) = (at(5, 0), at(5, 1), at(6, 0));
    for field in ["id", "n"] {
        assert_ne!(login[field], pay[field]);
        assert_ne!(login[field], others[field]);
    }
    assert_eq!(login["key"], pay["key"]);
    assert_ne!(login["key"], others["key"]);
    assert_eq!([at(5, 0), at(5, 1)], [login, pay]);
}
