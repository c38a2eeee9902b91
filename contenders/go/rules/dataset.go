// Package rules has what a payment and a distribution mean: pure functions, without a clock, a socket or a lock.
package rules

// The ids of the dataset. Business 0 is everyone.
const (
	Population = 1_000_000
	Businesses = 700
	Everyone   = 0
)

// Unknown is an id that no table has and every table's id column can hold.
const Unknown = 1<<31 - 1

// Dataset holds the rows of a seed. No row is stored: each is a function of the seed and its id.
type Dataset struct{ seed uint32 }

// User is a payer.
type User struct {
	Blocked             bool
	OpeningBalanceMinor int64
}

// Limits is what compliance allows a user.
type Limits struct{ PerPaymentMinor int64 }

// Merchant is a payee.
type Merchant struct {
	Closed bool
	FeeBps int64
}

// Tier sets an account's multiplier.
type Tier int

// The tiers, in the order of the database.
const (
	Basic Tier = iota
	Silver
	Gold
	Platinum
)

var (
	tierNames    = [...]string{"basic", "silver", "gold", "platinum"}
	tierPercents = [...]int64{100, 125, 150, 200}
)

// String returns the tier as the contract spells it.
func (t Tier) String() string { return tierNames[t] }

// Percent returns the points per hundred base points.
func (t Tier) Percent() int64 { return tierPercents[t] }

// Account is a loyalty account without its points: those are state, these are facts.
type Account struct {
	Tier      Tier
	CapPoints int64
}

// Business is a partner business.
type Business struct{ BonusPercent int64 }

// NewDataset returns the rows of seed, of which both halves count.
func NewDataset(seed uint64) Dataset { return Dataset{uint32(seed ^ seed>>32)} }

// User returns the user id, if there is one.
func (d Dataset) User(id uint32) (User, bool) {
	h, ok := d.row(1, id, 1, Population)
	return User{Blocked: h%100 == 0, OpeningBalanceMinor: 1_000_000 + int64(h>>8)%9_000_000}, ok
}

// Limits returns the compliance limits of the user id, if there is one.
func (d Dataset) Limits(id uint32) (Limits, bool) {
	h, ok := d.row(2, id, 1, Population)
	return Limits{PerPaymentMinor: 500_000 * (1 + int64(h%10))}, ok
}

// Merchant returns the merchant id, if there is one.
func (d Dataset) Merchant(id uint32) (Merchant, bool) {
	h, ok := d.row(3, id, 1, Businesses)
	return Merchant{Closed: h%100 == 0, FeeBps: 50 + int64(h>>8)%201}, ok
}

// Account returns the loyalty account id, if there is one.
func (d Dataset) Account(id uint32) (Account, bool) {
	h, ok := d.row(4, id, 1, Population)
	tier := Platinum
	switch share := h % 100; {
	case share < 60:
		tier = Basic
	case share < 85:
		tier = Silver
	case share < 97:
		tier = Gold
	}
	return Account{Tier: tier, CapPoints: 500 + 100*int64(h>>8%16)}, ok
}

// Business returns the business id, if there is one.
func (d Dataset) Business(id uint32) (Business, bool) {
	h, ok := d.row(5, id, Everyone, Businesses)
	return Business{BonusPercent: 10 * int64(h%6)}, ok
}

func (d Dataset) row(table, id, first, last uint32) (uint32, bool) {
	return fmix32(id ^ fmix32(d.seed^table)), first <= id && id <= last
}

// fmix32 is the 32-bit finalizer of MurmurHash3.
func fmix32(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}

// Members are the accounts of a business in ascending order, from a first one on.
type Members struct{ first, step, count uint32 }

// MembersOf returns the first count members of the business with ids from first on, if it has so many.
func MembersOf(business, first, count uint32) (Members, bool) {
	if business > Businesses || count == 0 {
		return Members{}, false
	}
	// Beyond the population there is nobody; the bound also keeps the sums below within 32 bits.
	m := Members{first: min(max(first, 1), Population+1), step: 1, count: count}
	if business != Everyone {
		m.first += (business + Businesses - m.first%Businesses) % Businesses
		m.step = Businesses
	}
	last := uint64(m.first) + uint64(m.step)*uint64(count-1)
	return m, last <= Population
}

// Len returns how many there are.
func (m Members) Len() int { return int(m.count) }

// ID returns the account of the member at index.
func (m Members) ID(index int) uint32 { return m.first + m.step*uint32(index) }

// Index returns the place of the member with this account.
func (m Members) Index(account uint32) int { return int((account - m.first) / m.step) }
