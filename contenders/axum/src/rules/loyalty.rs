use super::clamp_id;
use super::dataset::{Account, Business, Dataset, Members, POPULATION};

const SPEND_MAX_MINOR: u64 = 10_000_000;
const ID_MAX: u64 = (1 << 53) - 1;

/// A distribution's fields as they came: what a replay must repeat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    pub id: u64,
    pub business_id: u64,
    pub first_account: u64,
    pub accounts: u64,
    pub spend_minor: u64,
}

/// A distribution whose fields are in range.
#[derive(Clone, Copy, Debug)]
pub struct Distribution {
    pub terms: Terms,
    pub members: Members,
    business: Business,
}

#[derive(Clone, Copy, Debug)]
pub enum Refused {
    UnknownBusiness,
    OutOfRange(&'static str),
}

impl Distribution {
    /// # Errors
    /// Each field is checked for itself, then the business, then whether its members suffice.
    pub fn new(data: Dataset, terms: Terms) -> Result<Self, Refused> {
        if terms.id > ID_MAX {
            return Err(Refused::OutOfRange("distribution_id must be below 2^53"));
        }
        if !(1..=POPULATION.into()).contains(&terms.accounts) {
            return Err(Refused::OutOfRange("accounts must be 1 to 1000000"));
        }
        if !(1..=SPEND_MAX_MINOR).contains(&terms.spend_minor) {
            return Err(Refused::OutOfRange("spend_minor must be 1 to 10000000"));
        }
        let business_id = clamp_id(terms.business_id);
        let business = data.business(business_id).ok_or(Refused::UnknownBusiness)?;
        let first = clamp_id(terms.first_account);
        let members = Members::of(business_id, first, terms.accounts as u32).ok_or(
            Refused::OutOfRange("accounts must be at most the members from first_account on"),
        )?;
        Ok(Self { terms, members, business })
    }

    /// What it gives to an account, which does not depend on what the account holds.
    pub fn points(&self, account: Account) -> i64 {
        points(self.terms.spend_minor, account, self.business)
    }
}

pub(super) fn points(spend_minor: u64, account: Account, business: Business) -> i64 {
    let base = (spend_minor / 100) as i64;
    let points = base * account.tier.percent() * (100 + business.bonus_percent) / 10_000;
    points.min(account.cap_points)
}
