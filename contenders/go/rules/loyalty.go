package rules

import "errors"

const (
	spendMaxMinor = 10_000_000
	idMax         = 1<<53 - 1
)

// ErrUnknownBusiness says that a distribution names a business that does not exist.
var ErrUnknownBusiness = errors.New("there is no such business")

// Terms are a distribution's fields as they came: what a replay must repeat.
type Terms struct{ ID, BusinessID, FirstAccount, Accounts, SpendMinor uint64 }

// Distribution is a distribution whose fields are in range, with its members.
type Distribution struct {
	Terms
	Members  Members
	business Business
}

// NewDistribution checks each field for itself, then the business, then whether its members suffice.
func NewDistribution(data Dataset, t Terms) (*Distribution, error) {
	switch {
	case t.ID > idMax:
		return nil, errors.New("distribution_id must be below 2^53")
	case t.Accounts < 1 || t.Accounts > Population:
		return nil, errors.New("accounts must be 1 to 1000000")
	case t.SpendMinor < 1 || t.SpendMinor > spendMaxMinor:
		return nil, errors.New("spend_minor must be 1 to 10000000")
	}
	business, ok := data.Business(clampID(t.BusinessID))
	if !ok {
		return nil, ErrUnknownBusiness
	}
	members, ok := MembersOf(uint32(t.BusinessID), clampID(t.FirstAccount), uint32(t.Accounts))
	if !ok {
		return nil, errors.New("accounts must be at most the members from first_account on")
	}
	return &Distribution{Terms: t, Members: members, business: business}, nil
}

// Points returns what the distribution gives to an account: the base by tier and campaign, at most the account's cap.
// Nothing here depends on what the account already holds.
func (d *Distribution) Points(a Account) int64 {
	base := int64(d.SpendMinor / 100)
	return min(a.CapPoints, base*a.Tier.Percent()*(100+d.business.BonusPercent)/10_000)
}
