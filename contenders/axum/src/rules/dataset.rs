//! The rows of a seed. No row is stored: each is a function of the seed and its id.

pub const POPULATION: u32 = 1_000_000;
pub const BUSINESSES: u32 = 700;
/// The business that all accounts are members of.
pub const EVERYONE: u32 = 0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct User {
    pub blocked: bool,
    pub opening_balance_minor: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    pub per_payment_minor: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merchant {
    pub closed: bool,
    pub fee_bps: i64,
}

/// In the order of the database.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tier {
    Basic,
    Silver,
    Gold,
    Platinum,
}

impl Tier {
    pub const ALL: [Self; 4] = [Self::Basic, Self::Silver, Self::Gold, Self::Platinum];

    /// As the contract spells it.
    pub fn name(self) -> &'static str {
        ["basic", "silver", "gold", "platinum"][self as usize]
    }

    /// Points per hundred base points.
    pub fn percent(self) -> i64 {
        [100, 125, 150, 200][self as usize]
    }
}

/// A loyalty account without its points, which are state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Account {
    pub tier: Tier,
    pub cap_points: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Business {
    pub bonus_percent: i64,
}

#[derive(Clone, Copy, Debug)]
pub struct Dataset(u32);

impl Dataset {
    pub fn new(seed: u64) -> Self {
        Self((seed ^ (seed >> 32)) as u32)
    }

    pub fn user(self, id: u32) -> Option<User> {
        let h = self.row(1, id, 1, POPULATION)?;
        let opening_balance_minor = 1_000_000 + i64::from(h >> 8) % 9_000_000;
        Some(User { blocked: h % 100 == 0, opening_balance_minor })
    }

    pub fn limits(self, user_id: u32) -> Option<Limits> {
        let h = self.row(2, user_id, 1, POPULATION)?;
        Some(Limits { per_payment_minor: 500_000 * (1 + i64::from(h % 10)) })
    }

    pub fn merchant(self, id: u32) -> Option<Merchant> {
        let h = self.row(3, id, 1, BUSINESSES)?;
        Some(Merchant { closed: h % 100 == 0, fee_bps: 50 + i64::from((h >> 8) % 201) })
    }

    pub fn account(self, id: u32) -> Option<Account> {
        let h = self.row(4, id, 1, POPULATION)?;
        let tier = match h % 100 {
            0..60 => Tier::Basic,
            60..85 => Tier::Silver,
            85..97 => Tier::Gold,
            _ => Tier::Platinum,
        };
        Some(Account { tier, cap_points: 500 + 100 * i64::from((h >> 8) % 16) })
    }

    pub fn business(self, id: u32) -> Option<Business> {
        let h = self.row(5, id, EVERYONE, BUSINESSES)?;
        Some(Business { bonus_percent: 10 * i64::from(h % 6) })
    }

    fn row(self, table: u32, id: u32, first: u32, last: u32) -> Option<u32> {
        (first..=last).contains(&id).then(|| fmix32(id ^ fmix32(self.0 ^ table)))
    }
}

/// The 32-bit finalizer of MurmurHash3.
fn fmix32(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

/// Accounts of a business in ascending order.
#[derive(Clone, Copy, Debug)]
pub struct Members {
    first: u32,
    step: u32,
    count: u32,
}

impl Members {
    /// The first `count` members with ids from `first` on, if there are so many.
    pub fn of(business: u32, first: u32, count: u32) -> Option<Self> {
        if business > BUSINESSES || count == 0 {
            return None;
        }
        // Beyond the population there is nobody; the bound also keeps the sums below within 32 bits.
        let first = first.clamp(1, POPULATION + 1);
        let (first, step) = match business {
            EVERYONE => (first, 1),
            _ => (first + (business + BUSINESSES - first % BUSINESSES) % BUSINESSES, BUSINESSES),
        };
        let last = u64::from(first) + u64::from(step) * u64::from(count - 1);
        (last <= u64::from(POPULATION)).then_some(Self { first, step, count })
    }

    pub fn count(self) -> u32 {
        self.count
    }

    pub fn ids(self) -> impl Iterator<Item = u32> {
        (0..self.count).map(move |index| self.first + self.step * index)
    }

    /// The place of the member with this account.
    pub fn index(self, account: u32) -> u32 {
        (account - self.first) / self.step
    }
}
