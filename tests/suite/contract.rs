//! The published vectors against the rules of this crate. They are written by `contracts/vectors.py`, which shares no
//! code with it; the conformance suite sends their exchanges to every model.

use std::path::Path;
use std::process::Command;

use bakeoff::domain::dataset::{Account, Business, Dataset, Members, Merchant, Tier};
use bakeoff::domain::loyalty::Distribution;
use bakeoff::domain::payment::fee_minor;
use bakeoff::domain::signature::Key;
use serde_json::{Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contracts");

fn vectors(section: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(format!("{FOLDER}/vectors.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let vectors = vectors[section].as_array().unwrap().clone();
    assert!(vectors.len() >= 5, "{section} has {} vectors", vectors.len());
    vectors
}

fn number(vector: &Value, field: &str) -> u64 {
    vector[field].as_u64().unwrap_or_else(|| panic!("{field} of {vector}"))
}

#[test]
fn the_file_is_what_the_script_writes() {
    let Some(python) = crate::python() else { return };
    let script = Path::new(FOLDER).join("vectors.py");
    let output = Command::new(python).arg(script).arg("--check").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn rows() {
    for vector in vectors("rows") {
        let data = Dataset::new(number(&vector, "seed"));
        let id = u32::try_from(number(&vector, "id")).unwrap();
        let user = data.user(id).map(|user| {
            json!({"blocked": user.blocked, "opening_balance_minor": user.opening_balance_minor})
        });
        let limits = data.limits(id).map(|l| json!({"per_payment_minor": l.per_payment_minor}));
        let merchant = data.merchant(id).map(|m| json!({"closed": m.closed, "fee_bps": m.fee_bps}));
        let account =
            data.account(id).map(|a| json!({"tier": a.tier.name(), "cap_points": a.cap_points}));
        let business = data.business(id).map(|b| json!({"bonus_percent": b.bonus_percent}));
        let rows = [user, limits, merchant, account, business];
        for (name, row) in ["user", "limits", "merchant", "account", "business"].iter().zip(rows) {
            assert_eq!(vector[name], row.unwrap_or(Value::Null), "{name} of {vector}");
        }
    }
}

#[test]
fn fees() {
    for vector in vectors("fees") {
        let merchant = Merchant { closed: false, fee_bps: number(&vector, "fee_bps") };
        let fee = fee_minor(number(&vector, "amount_minor"), merchant);
        assert_eq!(fee, number(&vector, "fee_minor"), "{vector}");
    }
}

#[test]
fn points() {
    let tiers = [Tier::Basic, Tier::Silver, Tier::Gold, Tier::Platinum];
    for vector in vectors("points") {
        let tier = tiers.into_iter().find(|tier| vector["tier"] == tier.name()).unwrap();
        let distribution = Distribution {
            id: 1,
            members: Members::of(0, 1, 1).unwrap(),
            business: Business { bonus_percent: number(&vector, "bonus_percent") },
            spend_minor: number(&vector, "spend_minor"),
        };
        let account = Account { tier, cap_points: number(&vector, "cap_points") };
        assert_eq!(distribution.points(account), number(&vector, "points"), "{vector}");
    }
}

#[test]
fn members() {
    for vector in vectors("members") {
        let [business, first, accounts] = ["business_id", "first_account", "accounts"]
            .map(|field| u32::try_from(number(&vector, field)).unwrap());
        let ids = Members::of(business, first, accounts)
            .map(|members| (0..members.len()).map(|index| members.id(index)).collect::<Vec<_>>());
        assert_eq!(vector["members"], json!(ids), "{vector}");
    }
}

#[test]
fn signatures() {
    for vector in vectors("signatures") {
        let [rounds, merchant] =
            ["rounds", "merchant_id"].map(|field| u32::try_from(number(&vector, field)).unwrap());
        let key = Key::stretch(number(&vector, "seed"), merchant, rounds);
        let signature = key.sign(vector["text"].as_str().unwrap());
        assert!(signature.is(vector["signature"].as_str().unwrap()), "{vector}");
    }
}
