//! A million users and accounts and 700 merchants and partner businesses, each a pure function of the seed and its id.
//!
//! Nothing is stored and nothing is loaded: a row is worked out when it is asked for, so a server starts at once and
//! every contender, in any language, knows the same rows. The hash is 32 bits wide so that JavaScript can follow it
//! with `Math.imul`.

/// Users and loyalty accounts have the ids `1..=POPULATION`.
pub const POPULATION: u32 = 1_000_000;
/// Merchants and partner businesses have the ids `1..=BUSINESSES`.
pub const BUSINESSES: u32 = 700;
/// The business to which every account belongs.
pub const EVERYONE: u32 = 0;

/// The rows behind both services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dataset {
    seed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// A blocked user's payments are declined; about 1 % are.
    pub blocked: bool,
    /// Money at the start of a trial, in minor units: 10,000.00 to 99,999.99.
    pub opening_balance_minor: u64,
}

/// What compliance allows a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComplianceLimits {
    /// The most that one payment may move, in minor units: 5,000.00 to 50,000.00.
    pub per_payment_minor: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merchant {
    /// A closed merchant's payments are declined; about 1 % are closed.
    pub closed: bool,
    /// Its fee in hundredths of a percent: 50 to 250.
    pub fee_bps: u64,
}

/// How a member is rewarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Six members in ten.
    Basic,
    /// A quarter of the members.
    Silver,
    /// About one in eight.
    Gold,
    /// Three in a hundred.
    Platinum,
}

/// A loyalty account, without its points: those are state, these are facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Sets the multiplier.
    pub tier: Tier,
    /// The most points that one distribution may credit: 500 to 2,000.
    pub cap_points: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Business {
    /// What its running campaign adds, in percent: 0 to 50.
    pub bonus_percent: u64,
}

impl Dataset {
    /// The rows of `seed`, of which both halves count.
    pub fn new(seed: u64) -> Self {
        Self { seed: (seed ^ (seed >> 32)) as u32 }
    }

    pub fn user(self, id: u32) -> Option<User> {
        let h = self.row(RowTable::User, id, 1, POPULATION)?;
        Some(User {
            blocked: h % 100 == 0,
            opening_balance_minor: 1_000_000 + u64::from(h >> 8) % 9_000_000,
        })
    }

    /// The compliance limits of the user `id`, if there is one.
    pub fn limits(self, id: u32) -> Option<ComplianceLimits> {
        let h = self.row(RowTable::Limits, id, 1, POPULATION)?;
        Some(ComplianceLimits { per_payment_minor: 500_000 * (1 + u64::from(h % 10)) })
    }

    pub fn merchant(self, id: u32) -> Option<Merchant> {
        let h = self.row(RowTable::Merchant, id, 1, BUSINESSES)?;
        Some(Merchant { closed: h % 100 == 0, fee_bps: 50 + u64::from(h >> 8) % 201 })
    }

    /// The loyalty account `id`, if there is one.
    pub fn account(self, id: u32) -> Option<Account> {
        let h = self.row(RowTable::Account, id, 1, POPULATION)?;
        let tier = match h % 100 {
            0..60 => Tier::Basic,
            60..85 => Tier::Silver,
            85..97 => Tier::Gold,
            _ => Tier::Platinum,
        };
        Some(Account { tier, cap_points: 500 + 100 * (u64::from(h >> 8) % 16) })
    }

    /// The business `id`, if there is one; [`EVERYONE`] is one.
    pub fn business(self, id: u32) -> Option<Business> {
        let h = self.row(RowTable::Business, id, EVERYONE, BUSINESSES)?;
        Some(Business { bonus_percent: 10 * u64::from(h % 6) })
    }

    /// What the upstream service behind a gateway says of `id`; any id will do.
    pub fn upstream_value(self, id: u32) -> u32 {
        fmix32(id ^ fmix32(self.seed ^ RowTable::Upstream as u32)) % 1_000_000
    }

    /// The hash of a row, or nothing when the table has no such row.
    fn row(self, table: RowTable, id: u32, first: u32, last: u32) -> Option<u32> {
        (first..=last).contains(&id).then(|| fmix32(id ^ fmix32(self.seed ^ table as u32)))
    }
}

/// The members of a business in ascending order of their ids, from a first account on.
///
/// A business has every 700th account, about 1,428 of them, starting with its own id; [`EVERYONE`] has them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Members {
    first: u32,
    step: u32,
    len: u32,
}

impl Members {
    /// `accounts` members of `business` with ids from `first_account` on, or nothing when it has fewer, when `accounts`
    /// is 0, and when there is no such business.
    pub fn of(business: u32, first_account: u32, accounts: u32) -> Option<Self> {
        if business > BUSINESSES {
            return None;
        }
        // There is no account beyond the population; the bound also keeps the sums below inside a u32.
        let from = first_account.clamp(1, POPULATION + 1);
        let (first, step) = match business {
            EVERYONE => (from, 1),
            // The first id >= from that leaves the business's remainder.
            _ => (from + (business + BUSINESSES - from % BUSINESSES) % BUSINESSES, BUSINESSES),
        };
        let last = u64::from(first) + u64::from(step) * u64::from(accounts.checked_sub(1)?);
        (last <= u64::from(POPULATION)).then_some(Self { first, step, len: accounts })
    }

    #[expect(clippy::len_without_is_empty, reason = "there is always at least one member")]
    pub fn len(self) -> u32 {
        self.len
    }

    /// The account id of the member at `index`.
    ///
    /// # Panics
    /// When `index` is not below [`Self::len`].
    pub fn id(self, index: u32) -> u32 {
        assert!(index < self.len, "member {index} of {}", self.len);
        self.first + self.step * index
    }
}

/// What sets the hashes of two tables apart.
#[derive(Clone, Copy)]
enum RowTable {
    User = 1,
    Limits = 2,
    Merchant = 3,
    Account = 4,
    Business = 5,
    Upstream = 6,
}

/// The 32-bit finalizer of MurmurHash3 (Appleby): every input bit changes every output bit with about even odds.
const fn fmix32(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_outside_the_tables_have_no_row() {
        let data = Dataset::new(42);
        assert!(data.user(0).is_none() && data.user(POPULATION + 1).is_none());
        assert!(data.merchant(0).is_none() && data.merchant(BUSINESSES + 1).is_none());
        assert!(data.business(EVERYONE).is_some() && data.business(BUSINESSES + 1).is_none());
    }

    #[test]
    fn the_rows_are_spread_as_documented() {
        let data = Dataset::new(42);
        let users = (1..=POPULATION).map(|id| data.user(id).unwrap());
        let blocked = users.filter(|user| user.blocked).count();
        assert!((9_000..11_000).contains(&blocked), "{blocked}");
        let tiers = (1..=POPULATION).filter(|&id| data.account(id).unwrap().tier == Tier::Gold);
        let gold = tiers.count();
        assert!((115_000..125_000).contains(&gold), "{gold}");
        let fees = (1..=BUSINESSES).map(|id| data.merchant(id).unwrap().fee_bps);
        assert!(fees.clone().min() >= Some(50) && fees.max() <= Some(250));
    }

    #[test]
    fn another_seed_makes_other_rows() {
        let (a, b) = (Dataset::new(1), Dataset::new(1 << 32));
        assert_eq!(a, b, "the halves of a seed are folded");
        assert_ne!(a.user(7), Dataset::new(2).user(7));
    }

    #[test]
    fn members_match_a_naive_walk() {
        for (business, first, accounts) in
            [(0, 0, 5), (1, 1, 3), (700, 1, 4), (700, 700, 2), (13, 14, 9)]
        {
            let naive: Vec<u32> = (first.max(1)..=POPULATION)
                .filter(|id| business == EVERYONE || (id - 1) % BUSINESSES + 1 == business)
                .take(accounts as usize)
                .collect();
            let members = Members::of(business, first, accounts).unwrap();
            let ids: Vec<u32> = (0..members.len()).map(|index| members.id(index)).collect();
            assert_eq!(ids, naive, "business {business} from {first}");
        }
    }

    #[test]
    fn a_business_cannot_have_more_members_than_it_has() {
        assert!(Members::of(EVERYONE, 1, POPULATION).is_some());
        assert!(Members::of(EVERYONE, 2, POPULATION).is_none());
        assert!(Members::of(1, 1, 1_429).is_some());
        assert!(Members::of(1, 1, 1_430).is_none());
        assert!(Members::of(1, 1, 0).is_none());
        assert!(Members::of(1, u32::MAX, 1).is_none());
    }

    #[test]
    fn who_is_no_business_has_no_members() {
        for business in [BUSINESSES + 1, u32::MAX] {
            assert_eq!(Members::of(business, 1, 1), None, "{business}");
        }
    }
}
