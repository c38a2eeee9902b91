//! What a distribution is and how many points it gives to one account.

use super::dataset::{Account, Business, Dataset, Members, POPULATION, Tier};

/// A purchase of at most this much, in minor units, can be distributed.
pub const SPEND_MAX_MINOR: u64 = 10_000_000;
/// Distributions have ids up to this, the largest integer that JavaScript knows from its neighbours.
pub const DISTRIBUTION_ID_MAX: u64 = (1 << 53) - 1;

impl Tier {
    /// All of them, in the order of their numbers in a database.
    pub const ALL: [Self; 4] = [Self::Basic, Self::Silver, Self::Gold, Self::Platinum];

    /// Points per hundred base points.
    pub fn percent(self) -> u64 {
        match self {
            Self::Basic => 100,
            Self::Silver => 125,
            Self::Gold => 150,
            Self::Platinum => 200,
        }
    }

    /// The tier as the contract spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Silver => "silver",
            Self::Gold => "gold",
            Self::Platinum => "platinum",
        }
    }
}

/// A distribution whose fields are in range, with its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// Names it, `0..=DISTRIBUTION_ID_MAX`: crediting is keyed by (distribution, account).
    pub id: u64,
    /// Whose members are credited.
    pub members: Members,
    pub business: Business,
    /// What the points are for, in minor units, `1..=SPEND_MAX_MINOR`.
    pub spend_minor: u64,
}

/// Why a distribution cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistributionRefusal {
    /// There is no such business (404).
    UnknownBusiness,
    /// A field is out of range (422); the text names it.
    OutOfRange(&'static str),
}

impl Distribution {
    /// Checks the fields as they came: first each for itself, then the business, then whether its members suffice.
    pub fn new(
        data: Dataset,
        id: u64,
        business_id: u64,
        first_account: u64,
        accounts: u64,
        spend_minor: u64,
    ) -> Result<Self, DistributionRefusal> {
        if id > DISTRIBUTION_ID_MAX {
            return Err(DistributionRefusal::OutOfRange("distribution_id must be below 2^53"));
        }
        let accounts = u32::try_from(accounts)
            .ok()
            .filter(|accounts| (1..=POPULATION).contains(accounts))
            .ok_or(DistributionRefusal::OutOfRange("accounts must be 1 to 1000000"))?;
        if !(1..=SPEND_MAX_MINOR).contains(&spend_minor) {
            return Err(DistributionRefusal::OutOfRange("spend_minor must be 1 to 10000000"));
        }
        let business_id = u32::try_from(business_id).unwrap_or(u32::MAX);
        let business = data.business(business_id).ok_or(DistributionRefusal::UnknownBusiness)?;
        let first = u32::try_from(first_account).unwrap_or(u32::MAX);
        let members =
            Members::of(business_id, first, accounts).ok_or(DistributionRefusal::OutOfRange(
                "accounts must be at most the members from first_account on",
            ))?;
        Ok(Self { id, members, business, spend_minor })
    }

    /// What it gives to `account`: the base by tier and campaign, at most the account's cap.
    ///
    /// One point per whole unit of money is the base. Nothing here depends on what the account already holds, so the
    /// points of a distribution are the same in whatever order and however often its members are worked out.
    pub fn points(&self, account: Account) -> u64 {
        let base = self.spend_minor / 100;
        let earned = base * account.tier.percent() * (100 + self.business.bonus_percent) / 10_000;
        earned.min(account.cap_points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(spend_minor: u64, bonus_percent: u64) -> Distribution {
        let members = Members::of(1, 1, 1).unwrap();
        Distribution { id: 1, members, business: Business { bonus_percent }, spend_minor }
    }

    #[test]
    fn points_follow_tier_campaign_and_cap() {
        let gold = Account { tier: Tier::Gold, cap_points: 500 };
        assert_eq!(distribution(10_099, 0).points(gold), 150, "100 whole units");
        assert_eq!(distribution(10_000, 20).points(gold), 180);
        assert_eq!(distribution(1_000_000, 20).points(gold), 500, "capped");
        assert_eq!(distribution(99, 50).points(gold), 0, "less than one whole unit");
    }

    #[test]
    fn fields_out_of_range_are_told_apart_from_unknown_ones() {
        let any = |id, business, accounts, spend| {
            Distribution::new(Dataset::new(42), id, business, 1, accounts, spend)
        };
        let new = |business, accounts, spend| any(9, business, accounts, spend);
        assert_eq!(new(701, 1, 1), Err(DistributionRefusal::UnknownBusiness));
        assert_eq!(new(u64::MAX, 1, 1), Err(DistributionRefusal::UnknownBusiness));
        for (accounts, spend) in
            [(0, 1), (1_430, 1), (u64::MAX, 1), (1, 0), (1, SPEND_MAX_MINOR + 1)]
        {
            assert!(
                matches!(new(1, accounts, spend), Err(DistributionRefusal::OutOfRange(_))),
                "{accounts} {spend}"
            );
        }
        for (id, accounts, spend) in [(9, 0, 1), (9, 1, 0), (DISTRIBUTION_ID_MAX + 1, 1, 1)] {
            let refusal = any(id, 701, accounts, spend);
            assert!(
                matches!(refusal, Err(DistributionRefusal::OutOfRange(_))),
                "ranges come before the business"
            );
        }
        assert_eq!(new(701, 1_000, 1), Err(DistributionRefusal::UnknownBusiness));
        assert_eq!(new(1, 1_429, 100).unwrap().members.len(), 1_429);
        assert!(any(DISTRIBUTION_ID_MAX, 1, 1, 1).is_ok());
    }
}
