package store

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"bakeoff/contenders/go/rules"
)

// shardCount is how many locks the payments share. Two of them meet by chance about once in 64.
const shardCount = 64

// Memory keeps in memory what a trial changes; the rows are worked out when they are asked for.
type Memory struct {
	data   rules.Dataset
	seed   maphash.Seed
	shards [shardCount]shard

	// What each user has paid, by id.
	spent []atomic.Int64
	// What each merchant received and paid for that, by id.
	takings []struct{ received, fees atomic.Int64 }
	// What each account holds, by id.
	points       []atomic.Int64
	pointsIssued atomic.Int64
	credits      atomic.Int64

	distributions sync.Map // uint64 -> *record
	webhooks      sync.Map // string -> string
}

type shard struct {
	mu       sync.Mutex
	payments map[string]captured
}

type captured struct {
	payment  rules.Payment
	feeMinor int64
}

// record is a distribution that was begun.
type record struct {
	terms rules.Terms
	// Bit i % 64 of word i / 64 is set by whoever credits the member i.
	credited []atomic.Uint64
}

// NewMemory returns a store in which nothing has happened yet.
func NewMemory(data rules.Dataset) *Memory {
	m := &Memory{
		data:    data,
		seed:    maphash.MakeSeed(),
		spent:   make([]atomic.Int64, rules.Population+1),
		takings: make([]struct{ received, fees atomic.Int64 }, rules.Businesses+1),
		points:  make([]atomic.Int64, rules.Population+1),
	}
	for i := range m.shards {
		m.shards[i].payments = make(map[string]captured)
	}
	return m
}

// User implements Store.
func (m *Memory) User(_ context.Context, id uint32) (rules.User, error) {
	return found(m.data.User(id))
}

// Limits implements Store.
func (m *Memory) Limits(_ context.Context, userID uint32) (rules.Limits, error) {
	return found(m.data.Limits(userID))
}

// Merchant implements Store.
func (m *Memory) Merchant(_ context.Context, id uint32) (rules.Merchant, error) {
	return found(m.data.Merchant(id))
}

// Account implements Store.
func (m *Memory) Account(_ context.Context, id uint32) (rules.Account, int64, error) {
	account, err := found(m.data.Account(id))
	if err != nil {
		return account, 0, err
	}
	return account, m.points[id].Load(), nil
}

func found[Row any](row Row, ok bool) (Row, error) {
	if !ok {
		return row, ErrNotFound
	}
	return row, nil
}

// Capture implements Store. The key's shard stays locked throughout, so that rivals for it see the outcome.
func (m *Memory) Capture(_ context.Context, p rules.Payment, user rules.User, feeMinor int64) (Outcome, int64, error) {
	s := &m.shards[maphash.String(m.seed, p.Key)%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()

	if earlier, ok := s.payments[p.Key]; ok {
		if earlier.payment != p {
			return Conflict, 0, nil
		}
		return Replayed, earlier.feeMinor, nil
	}
	if !m.debit(p, user) {
		return InsufficientFunds, 0, nil
	}
	s.payments[p.Key] = captured{p, feeMinor}
	m.takings[p.MerchantID].received.Add(p.AmountMinor - feeMinor)
	m.takings[p.MerchantID].fees.Add(feeMinor)
	return Captured, feeMinor, nil
}

// debit takes the amount from the payer, unless the balance does not cover it.
func (m *Memory) debit(p rules.Payment, user rules.User) bool {
	spent := &m.spent[p.UserID]
	for {
		before := spent.Load()
		if before+p.AmountMinor > user.OpeningBalanceMinor {
			return false
		}
		if spent.CompareAndSwap(before, before+p.AmountMinor) {
			return true
		}
	}
}

// Begin implements Store.
func (m *Memory) Begin(_ context.Context, d *rules.Distribution) (bool, error) {
	earlier, ok := m.distributions.Load(d.ID)
	if !ok {
		fresh := &record{terms: d.Terms, credited: make([]atomic.Uint64, (d.Members.Len()+63)/64)}
		earlier, _ = m.distributions.LoadOrStore(d.ID, fresh)
	}
	return earlier.(*record).terms == d.Terms, nil
}

// Credit implements Store.
func (m *Memory) Credit(_ context.Context, d *rules.Distribution, account uint32, points int64) error {
	begun, ok := m.distributions.Load(d.ID)
	if !ok {
		return ErrNotFound
	}
	index := d.Members.Index(account)
	bit := uint64(1) << (index % 64)
	if begun.(*record).credited[index/64].Or(bit)&bit == 0 {
		m.points[account].Add(points)
		m.pointsIssued.Add(points)
		m.credits.Add(1)
	}
	return nil
}

// Receive implements Store.
func (m *Memory) Receive(_ context.Context, eventID, body string) (bool, error) {
	_, known := m.webhooks.LoadOrStore(eventID, body)
	return !known, nil
}

// Audit implements Store.
func (m *Memory) Audit(context.Context) (Audit, error) {
	var a Audit
	for i := range m.spent {
		a.MoneyInMinor += m.spent[i].Load()
	}
	for i := range m.takings {
		a.MoneyOutMinor += m.takings[i].received.Load()
		a.FeesMinor += m.takings[i].fees.Load()
	}
	for i := range m.points {
		a.PointsHeld += m.points[i].Load()
	}
	a.PointsIssued = m.pointsIssued.Load()
	a.Applied.Credits = m.credits.Load()
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		a.Applied.Payments += int64(len(s.payments))
		s.mu.Unlock()
	}
	a.Applied.Distributions = size(&m.distributions)
	a.Applied.Webhooks = size(&m.webhooks)
	return a, nil
}

func size(m *sync.Map) (n int64) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

// Close implements Store.
func (m *Memory) Close() error { return nil }
