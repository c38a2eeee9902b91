package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	_ "github.com/lib/pq" // The driver "postgres".

	"bakeoff/contenders/go/rules"
)

// connectMax is how long the first connection may take.
const connectMax = 10 * time.Second

// Postgres keeps everything in a database with the schema of contracts/schema.sql: it reads through the views and
// writes through the functions, and each statement is one round trip.
type Postgres struct {
	db *sql.DB

	user, limits, merchant, account, capture, begin, credit, webhook, audit *sql.Stmt
}

// OpenPostgres connects to the database at address, with at most connections at once.
func OpenPostgres(address string, connections int) (*Postgres, error) {
	address, err := plain(address)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("postgres", address)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)

	p := &Postgres{db: db}
	if err := p.prepare(); err != nil {
		db.Close()
		return nil, err
	}
	return p, nil
}

// plain turns TLS off, which the driver wants by default, unless the address says something of it.
func plain(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	query := u.Query()
	if !query.Has("sslmode") {
		query.Set("sslmode", "disable")
		u.RawQuery = query.Encode()
	}
	return u.String(), nil
}

func (p *Postgres) prepare() error {
	ctx, cancel := context.WithTimeout(context.Background(), connectMax)
	defer cancel()
	for _, s := range []struct {
		statement **sql.Stmt
		text      string
	}{
		{&p.user, "SELECT blocked, opening_balance_minor FROM user_rows WHERE id = $1"},
		{&p.limits, "SELECT per_payment_minor FROM limit_rows WHERE user_id = $1"},
		{&p.merchant, "SELECT closed, fee_bps FROM merchant_rows WHERE id = $1"},
		{&p.account, "SELECT tier, cap_points, points FROM account_rows WHERE id = $1"},
		{&p.capture, "SELECT outcome, fee_minor FROM capture($1, $2, $3, $4, $5, $6)"},
		{&p.begin, "SELECT same FROM begin_distribution($1, $2, $3, $4, $5)"},
		{&p.credit, "SELECT fresh FROM credit($1, $2, $3)"},
		{&p.webhook, "SELECT fresh FROM receive_webhook($1, $2)"},
		{&p.audit, "SELECT * FROM audit()"},
	} {
		statement, err := p.db.PrepareContext(ctx, s.text)
		if err != nil {
			return fmt.Errorf("prepare %q: %w", s.text, err)
		}
		*s.statement = statement
	}
	return nil
}

// User implements Store.
func (p *Postgres) User(ctx context.Context, id uint32) (u rules.User, err error) {
	err = lookup(p.user.QueryRowContext(ctx, id), &u.Blocked, &u.OpeningBalanceMinor)
	return u, err
}

// Limits implements Store.
func (p *Postgres) Limits(ctx context.Context, userID uint32) (l rules.Limits, err error) {
	err = lookup(p.limits.QueryRowContext(ctx, userID), &l.PerPaymentMinor)
	return l, err
}

// Merchant implements Store.
func (p *Postgres) Merchant(ctx context.Context, id uint32) (m rules.Merchant, err error) {
	err = lookup(p.merchant.QueryRowContext(ctx, id), &m.Closed, &m.FeeBps)
	return m, err
}

// Account implements Store.
func (p *Postgres) Account(ctx context.Context, id uint32) (a rules.Account, points int64, err error) {
	err = lookup(p.account.QueryRowContext(ctx, id), &a.Tier, &a.CapPoints, &points)
	return a, points, err
}

func lookup(row *sql.Row, columns ...any) error {
	err := row.Scan(columns...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// Capture implements Store.
func (p *Postgres) Capture(
	ctx context.Context, pay rules.Payment, _ rules.User, feeMinor int64,
) (outcome Outcome, fee int64, err error) {
	row := p.capture.QueryRowContext(ctx, pay.Key, pay.UserID, pay.MerchantID, pay.AmountMinor, pay.Currency, feeMinor)
	err = row.Scan(&outcome, &fee)
	return outcome, fee, err
}

// Begin implements Store.
func (p *Postgres) Begin(ctx context.Context, d *rules.Distribution) (same bool, err error) {
	row := p.begin.QueryRowContext(ctx, d.ID, d.BusinessID, d.FirstAccount, d.Accounts, d.SpendMinor)
	err = row.Scan(&same)
	return same, err
}

// Credit implements Store.
func (p *Postgres) Credit(ctx context.Context, d *rules.Distribution, account uint32, points int64) error {
	var fresh bool
	return p.credit.QueryRowContext(ctx, d.ID, account, points).Scan(&fresh)
}

// Receive implements Store.
func (p *Postgres) Receive(ctx context.Context, eventID, body string) (fresh bool, err error) {
	err = p.webhook.QueryRowContext(ctx, eventID, body).Scan(&fresh)
	return fresh, err
}

// Audit implements Store.
func (p *Postgres) Audit(ctx context.Context) (a Audit, err error) {
	err = p.audit.QueryRowContext(ctx).Scan(
		&a.MoneyInMinor, &a.MoneyOutMinor, &a.FeesMinor, &a.PointsIssued, &a.PointsHeld,
		&a.Applied.Payments, &a.Applied.Distributions, &a.Applied.Credits, &a.Applied.Webhooks)
	return a, err
}

// Close implements Store.
func (p *Postgres) Close() error { return p.db.Close() }
