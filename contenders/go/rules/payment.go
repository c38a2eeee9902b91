package rules

import (
	"errors"
	"strconv"
)

const (
	amountMaxMinor = 10_000_000
	keyBytesMax    = 64
)

// Payment is a payment whose fields are in range. That it exists says nothing about whether it is allowed.
type Payment struct {
	Key         string
	UserID      uint32
	MerchantID  uint32
	AmountMinor int64
	Currency    string
}

// NewPayment checks the ranges of the fields as they came. An id too large for any table is unknown, not out of range.
func NewPayment(key string, user, merchant, amount uint64, currency string) (Payment, error) {
	if !IsKey(key) {
		return Payment{}, errors.New("idempotency_key must be 1 to 64 visible ASCII characters without quote or backslash")
	}
	if amount < 1 || amount > amountMaxMinor {
		return Payment{}, errors.New("amount_minor must be 1 to 10000000")
	}
	switch currency {
	case "EUR", "USD", "GBP":
	default:
		return Payment{}, errors.New("currency must be EUR, USD or GBP")
	}
	return Payment{key, clampID(user), clampID(merchant), int64(amount), currency}, nil
}

// IsKey reports whether key can name a payment or an event.
func IsKey(key string) bool {
	if len(key) < 1 || len(key) > keyBytesMax {
		return false
	}
	for i := range len(key) {
		if c := key[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func clampID(id uint64) uint32 { return uint32(min(id, Unknown)) }

// canonical returns the text that a payer signs.
func (p Payment) canonical() []byte {
	text := append(make([]byte, 0, 128), p.Key...)
	text = strconv.AppendUint(append(text, '|'), uint64(p.UserID), 10)
	text = strconv.AppendUint(append(text, '|'), uint64(p.MerchantID), 10)
	text = strconv.AppendInt(append(text, '|'), p.AmountMinor, 10)
	return append(append(text, '|'), p.Currency...)
}

// Decline is a reason to decline a payment; empty for none.
type Decline string

// The reasons, in the order in which they are looked for. Only the store that holds the balance can give the last.
const (
	BadSignature      Decline = "bad_signature"
	UserBlocked       Decline = "user_blocked"
	MerchantClosed    Decline = "merchant_closed"
	LimitExceeded     Decline = "limit_exceeded"
	InsufficientFunds Decline = "insufficient_funds"
)

// Decide gives the first reason to decline that needs no balance.
func Decide(p Payment, user User, merchant Merchant, limits Limits, signed bool) Decline {
	switch {
	case !signed:
		return BadSignature
	case user.Blocked:
		return UserBlocked
	case merchant.Closed:
		return MerchantClosed
	case p.AmountMinor > limits.PerPaymentMinor:
		return LimitExceeded
	}
	return ""
}

// Fee returns what the merchant pays: its share rounded half up, at least 1.
func (m Merchant) Fee(amountMinor int64) int64 { return max(1, (amountMinor*m.FeeBps+5_000)/10_000) }
