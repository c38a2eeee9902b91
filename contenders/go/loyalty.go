package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"bakeoff/contenders/go/rules"
	"bakeoff/contenders/go/store"
)

// fanOutMax bounds the goroutines of one distribution; larger ones take turns.
const fanOutMax = 10_000

type distributionBody struct {
	ID           *whole `json:"distribution_id"`
	BusinessID   *whole `json:"business_id"`
	FirstAccount *whole `json:"first_account"`
	Accounts     *whole `json:"accounts"`
	Spend        *whole `json:"spend_minor"`
}

type distributionAnswer struct {
	Credited int   `json:"credited"`
	Points   int64 `json:"points"`
}

type accountAnswer struct {
	ID     uint32 `json:"account_id"`
	Tier   string `json:"tier"`
	Points int64  `json:"points"`
}

// distribute credits every member of a distribution once, and finishes one that was left half-way.
func (s *service) distribute(r *http.Request) (response, error) {
	distribution, err := s.readDistribution(r)
	if err != nil {
		return response{}, err
	}
	same, err := s.store.Begin(r.Context(), distribution)
	if err != nil {
		return response{}, err
	}
	if !same {
		return response{}, &failure{http.StatusConflict, "the id belongs to another distribution"}
	}
	points, err := s.creditAll(r.Context(), distribution)
	if err != nil {
		return response{}, err
	}
	return response{http.StatusOK, distributionAnswer{distribution.Members.Len(), points}}, nil
}

// creditAll starts a goroutine for each account and waits for them. Only the pool of connections bounds how many of
// them get on at once.
func (s *service) creditAll(ctx context.Context, d *rules.Distribution) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	var total atomic.Int64
	for first := 0; first < d.Members.Len(); first += fanOutMax {
		var wg sync.WaitGroup
		for i := first; i < min(first+fanOutMax, d.Members.Len()); i++ {
			wg.Go(func() {
				points, err := s.credit(ctx, d, d.Members.ID(i))
				if err != nil {
					cancel(err)
					return
				}
				total.Add(points)
			})
		}
		wg.Wait()
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
	}
	return total.Load(), nil
}

// credit loads an account, works out its points and credits them.
func (s *service) credit(ctx context.Context, d *rules.Distribution, id uint32) (int64, error) {
	account, _, err := s.store.Account(ctx, id)
	if err != nil {
		return 0, err
	}
	points := d.Points(account)
	return points, s.store.Credit(ctx, d, id, points)
}

// account reads one account.
func (s *service) account(r *http.Request) (response, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 31)
	if err != nil {
		return response{}, notFound("there is no such account")
	}
	account, points, err := s.store.Account(r.Context(), uint32(id))
	if errors.Is(err, store.ErrNotFound) {
		return response{}, notFound("there is no such account")
	} else if err != nil {
		return response{}, err
	}
	return response{http.StatusOK, accountAnswer{uint32(id), account.Tier.String(), points}}, nil
}

func (s *service) readDistribution(r *http.Request) (*rules.Distribution, error) {
	var b distributionBody
	if err := read(r, &b); err != nil {
		return nil, err
	}
	if b.ID == nil || b.BusinessID == nil || b.FirstAccount == nil || b.Accounts == nil || b.Spend == nil {
		return nil, malformed("a field is missing")
	}
	d, err := rules.NewDistribution(s.data, rules.Terms{
		ID: uint64(*b.ID), BusinessID: uint64(*b.BusinessID), FirstAccount: uint64(*b.FirstAccount),
		Accounts: uint64(*b.Accounts), SpendMinor: uint64(*b.Spend),
	})
	if errors.Is(err, rules.ErrUnknownBusiness) {
		return nil, notFound(err.Error())
	} else if err != nil {
		return nil, unprocessable(err.Error())
	}
	return d, nil
}
