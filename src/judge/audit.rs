//! Do the books balance? Judged from what was acknowledged and what the server says it did, by arithmetic alone:
//! nothing here knows a rule of the services.

use serde_json::Value;

use crate::record::outcome::Tally;
use crate::record::{Audit, AuditVerdict};

/// Compares a trial's acknowledgements with its server's `/audit`.
pub(crate) fn judge(tally: &Tally, answer: Result<Vec<u8>, String>) -> Audit {
    let books = answer.and_then(|body| {
        serde_json::from_slice::<Value>(&body)
            .map_err(|error| format!("/audit does not answer with JSON: {error}"))
    });
    match books.and_then(|books| differences(tally, &books)) {
        Ok(reasons) if reasons.is_empty() => Audit { verdict: AuditVerdict::Balanced, reasons },
        Ok(reasons) => Audit { verdict: AuditVerdict::Unbalanced, reasons },
        Err(reason) => Audit { verdict: AuditVerdict::Unavailable, reasons: vec![reason] },
    }
}

/// The same for a server that had books before the trial: by what they have grown.
pub(crate) fn judge_growth(
    tally: &Tally,
    before: Result<Vec<u8>, String>,
    after: Result<Vec<u8>, String>,
) -> Audit {
    let grown = before.and_then(|before| Ok((before, after?))).map(|(before, after)| {
        let read = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap_or(Value::Null);
        let mut books = read(&after);
        take_away(&mut books, &read(&before));
        books.to_string().into_bytes()
    });
    judge(tally, grown)
}

/// Takes every figure of `before` from its like in `books`.
fn take_away(books: &mut Value, before: &Value) {
    match books {
        Value::Object(fields) => {
            fields.iter_mut().for_each(|(name, field)| take_away(field, &before[name.as_str()]));
        }
        Value::Number(figure) => {
            if let (Some(now), Some(then)) = (figure.as_u64(), before.as_u64()) {
                // Books that shrink are no books: what is missing then shows as not applied.
                *books = now.saturating_sub(then).into();
            }
        }
        _ => {}
    }
}

/// Every way in which the books do not balance.
fn differences(tally: &Tally, books: &Value) -> Result<Vec<String>, String> {
    let figure = |pointer: &str| {
        books
            .pointer(pointer)
            .and_then(Value::as_u64)
            .ok_or_else(|| format!("/audit lacks {pointer}"))
    };
    let mut reasons = Vec::new();
    let mut bounded = |what: &str, applied: u64, acknowledged: u64, unknown: u64| {
        if applied < acknowledged {
            reasons.push(format!("{what}: {acknowledged} acknowledged, only {applied} applied"));
        } else if applied > acknowledged + unknown {
            reasons.push(format!(
                "{what}: {applied} applied, only {acknowledged} acknowledged and {unknown} unknown"
            ));
        }
    };
    let (money_in, fees) = (figure("/money_in_minor")?, figure("/fees_minor")?);
    let (issued, held) = (figure("/points_issued")?, figure("/points_held")?);
    bounded("payments", figure("/applied/payments")?, tally.payments, tally.payments_unknown);
    bounded("money", money_in, tally.money_minor, tally.money_unknown_minor);
    bounded(
        "distributions",
        figure("/applied/distributions")?,
        tally.distributions,
        tally.distributions_unknown,
    );
    bounded("credits", figure("/applied/credits")?, tally.credits, tally.credits_unknown);
    bounded("webhooks", figure("/applied/webhooks")?, tally.webhooks, tally.webhooks_unknown);
    if money_in != figure("/money_out_minor")? + fees {
        reasons.push("money was made or lost: in is not out + fees".into());
    }
    if issued != held {
        reasons.push(format!("points were made or lost: {issued} issued, {held} held"));
    }
    // What an unknown request may have added is not known, but it never takes away; and without one, all is known.
    if fees < tally.fees_minor || (tally.payments_unknown == 0 && fees != tally.fees_minor) {
        reasons.push(format!("fees: {} acknowledged, {fees} taken", tally.fees_minor));
    }
    if issued < tally.points || (tally.distributions_unknown == 0 && issued != tally.points) {
        reasons.push(format!("points: {} acknowledged, {issued} issued", tally.points));
    }
    Ok(reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TALLY: Tally = Tally {
        payments: 10,
        money_minor: 1_000,
        fees_minor: 20,
        distributions: 2,
        credits: 200,
        credits_in_window: 0,
        points: 5_000,
        payments_unknown: 1,
        money_unknown_minor: 100,
        distributions_unknown: 0,
        credits_unknown: 0,
        webhooks: 3,
        webhooks_unknown: 1,
    };

    fn verdict(change: impl Fn(&mut Value)) -> Audit {
        let mut books = serde_json::json!({
            "money_in_minor": 1_100, "money_out_minor": 1_078, "fees_minor": 22,
            "points_issued": 5_000, "points_held": 5_000,
            "applied": {"payments": 11, "distributions": 2, "credits": 200, "webhooks": 4}
        });
        change(&mut books);
        judge(&TALLY, Ok(books.to_string().into_bytes()))
    }

    #[test]
    fn an_unknown_payment_may_or_may_not_have_been_applied() {
        assert_eq!(verdict(|_| ()).verdict, AuditVerdict::Balanced);
        let without = verdict(|books| {
            books["applied"]["payments"] = 10.into();
            books["money_in_minor"] = 1_000.into();
            books["money_out_minor"] = 980.into();
            books["fees_minor"] = 20.into();
        });
        assert_eq!(without.verdict, AuditVerdict::Balanced, "{without:?}");
    }

    #[test]
    fn every_kind_of_loss_is_seen() {
        for (pointer, value) in [
            ("/applied/payments", 9),
            ("/applied/payments", 12),
            ("/applied/credits", 199),
            ("/applied/credits", 201),
            ("/applied/distributions", 3),
            ("/applied/webhooks", 2),
            ("/applied/webhooks", 5),
            ("/money_out_minor", 1_079),
            ("/money_in_minor", 1_101),
            ("/fees_minor", 19),
            ("/points_held", 4_999),
            ("/points_issued", 5_001),
        ] {
            let audit = verdict(|books| *books.pointer_mut(pointer).unwrap() = value.into());
            assert_eq!(audit.verdict, AuditVerdict::Unbalanced, "{pointer} = {value}");
            assert!(!audit.reasons.is_empty());
        }
    }

    #[test]
    fn books_that_were_begun_before_are_judged_by_their_growth() {
        let books = |payments: u64, issued: u64| {
            serde_json::json!({
                "money_in_minor": 100 * payments, "money_out_minor": 98 * payments,
                "fees_minor": 2 * payments, "points_issued": issued, "points_held": issued,
                "applied": {"payments": payments, "distributions": 2, "credits": 200, "webhooks": 0}
            })
            .to_string()
            .into_bytes()
        };
        let tally = Tally {
            distributions: 0,
            credits: 0,
            points: 0,
            payments_unknown: 0,
            money_unknown_minor: 0,
            webhooks: 0,
            ..TALLY
        };
        let grown = |after| judge_growth(&tally, Ok(books(7, 30)), Ok(after)).verdict;
        assert_eq!(grown(books(17, 30)), AuditVerdict::Balanced);
        assert_eq!(grown(books(16, 30)), AuditVerdict::Unbalanced, "one payment was lost");
        assert_eq!(grown(books(17, 31)), AuditVerdict::Unbalanced, "a point came from nowhere");
        assert_eq!(grown(books(0, 0)), AuditVerdict::Unbalanced, "the books were burnt");
        assert_eq!(grown(b"{}".to_vec()), AuditVerdict::Unavailable);
        assert_eq!(
            judge_growth(&tally, Err("404".into()), Ok(books(1, 1))).verdict,
            AuditVerdict::Unavailable
        );
    }

    #[test]
    fn a_server_without_an_audit_is_not_called_a_liar() {
        assert_eq!(judge(&TALLY, Err("404".into())).verdict, AuditVerdict::Unavailable);
        assert_eq!(judge(&TALLY, Ok(b"{}".to_vec())).verdict, AuditVerdict::Unavailable);
    }
}
