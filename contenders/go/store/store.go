// Package store has what the services remember: in memory, or in PostgreSQL.
package store

import (
	"context"
	"errors"

	"bakeoff/contenders/go/rules"
)

// ErrNotFound says that a table has no row of an id.
var ErrNotFound = errors.New("not found")

// Store is where the rows are looked up and where what happens is kept. All of it may be used from any goroutine.
type Store interface {
	// User, Limits, Merchant and Account read one row, or fail with ErrNotFound.
	User(ctx context.Context, id uint32) (rules.User, error)
	Limits(ctx context.Context, userID uint32) (rules.Limits, error)
	Merchant(ctx context.Context, id uint32) (rules.Merchant, error)
	// Account also gives the points that the account holds.
	Account(ctx context.Context, id uint32) (rules.Account, int64, error)

	// Capture moves the money of p once for each key. Of an earlier time it gives the fee of then.
	Capture(ctx context.Context, p rules.Payment, user rules.User, feeMinor int64) (Outcome, int64, error)
	// Begin remembers the terms of d, and reports whether its id came with these, now or before.
	Begin(ctx context.Context, d *rules.Distribution) (same bool, err error)
	// Credit gives points to an account once for each distribution that was begun.
	Credit(ctx context.Context, d *rules.Distribution, account uint32, points int64) error
	// Receive keeps an event once, and reports whether it is new.
	Receive(ctx context.Context, eventID, body string) (fresh bool, err error)

	// Audit adds everything up.
	Audit(ctx context.Context) (Audit, error)
	// Close gives everything back.
	Close() error
}

// Outcome is what became of a payment that was to be captured.
type Outcome string

// The outcomes, as the database spells them.
const (
	Captured          Outcome = "captured"
	Replayed          Outcome = "replayed"
	Conflict          Outcome = "conflict"
	InsufficientFunds Outcome = "insufficient_funds"
)

// Audit is the books. Each figure is counted apart from the one that it must agree with.
type Audit struct {
	MoneyInMinor  int64   `json:"money_in_minor"`
	MoneyOutMinor int64   `json:"money_out_minor"`
	FeesMinor     int64   `json:"fees_minor"`
	PointsIssued  int64   `json:"points_issued"`
	PointsHeld    int64   `json:"points_held"`
	Applied       Applied `json:"applied"`
}

// Applied counts what was done.
type Applied struct {
	Payments      int64 `json:"payments"`
	Distributions int64 `json:"distributions"`
	Credits       int64 `json:"credits"`
	Webhooks      int64 `json:"webhooks"`
}
