//! The published examples, which share no code with this crate.

use serde_json::{Value, json};

use super::dataset::{Account, Business, Dataset, Members, Merchant, Tier};
use super::loyalty::points;
use super::payment::Payment;
use super::signature::Key;

fn vectors(section: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../../../contracts/vectors.json")).unwrap();
    let found = all[section].as_array().unwrap().clone();
    assert!(found.len() >= 5, "too few {section}");
    found
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn rows() {
    for v in vectors("rows") {
        let (data, id) = (Dataset::new(number(&v["seed"])), number(&v["id"]) as u32);
        let user = data.user(id).map(|user| {
            json!({"blocked": user.blocked, "opening_balance_minor": user.opening_balance_minor})
        });
        let limits = data.limits(id).map(|l| json!({"per_payment_minor": l.per_payment_minor}));
        let merchant =
            data.merchant(id).map(|m| json!({"closed": m.closed, "fee_bps": m.fee_bps}));
        let account =
            data.account(id).map(|a| json!({"tier": a.tier.name(), "cap_points": a.cap_points}));
        let business = data.business(id).map(|b| json!({"bonus_percent": b.bonus_percent}));
        for (name, row) in [
            ("user", user),
            ("limits", limits),
            ("merchant", merchant),
            ("account", account),
            ("business", business),
        ] {
            assert_eq!(row.unwrap_or_default(), v[name], "{name} of {v}");
        }
    }
}

#[test]
fn fees_and_points() {
    for v in vectors("fees") {
        let merchant = Merchant { closed: false, fee_bps: number(&v["fee_bps"]) as i64 };
        assert_eq!(merchant.fee(number(&v["amount_minor"]) as i64), v["fee_minor"], "{v}");
    }
    for v in vectors("points") {
        let tier = Tier::ALL.into_iter().find(|tier| tier.name() == v["tier"]).unwrap();
        let account = Account { tier, cap_points: number(&v["cap_points"]) as i64 };
        let business = Business { bonus_percent: number(&v["bonus_percent"]) as i64 };
        assert_eq!(points(number(&v["spend_minor"]), account, business), v["points"], "{v}");
    }
}

#[test]
fn members() {
    for v in vectors("members") {
        let field = |name: &str| number(&v[name]) as u32;
        let members = Members::of(field("business_id"), field("first_account"), field("accounts"));
        let ids = members.map(|members| members.ids().collect::<Vec<_>>());
        assert_eq!(json!(ids), v["members"], "{v}");
        for (index, id) in ids.into_iter().flatten().enumerate() {
            assert_eq!(members.unwrap().index(id) as usize, index);
        }
    }
}

#[test]
fn signatures() {
    for v in vectors("signatures") {
        let text = v["text"].as_str().unwrap();
        let fields = text.split('|').collect::<Vec<_>>();
        let n = |index: usize| fields[index].parse().unwrap();
        let payment = Payment::new(fields[0].into(), n(1), n(2), n(3), fields[4].into()).unwrap();
        assert_eq!(payment.canonical(), text);
        let key = Key::stretch(number(&v["seed"]), payment.merchant_id, number(&v["rounds"]) as u32);
        let signature = v["signature"].as_str().unwrap();
        assert!(key.signed(&payment, signature), "{v}");
        assert!(!key.signed(&payment, &signature.to_uppercase()) && !key.signed(&payment, ""));
    }
}
