package main

import (
	"errors"
	"net/http"
	"sync"

	"bakeoff/contenders/go/rules"
	"bakeoff/contenders/go/store"
)

type paymentBody struct {
	Key        *string `json:"idempotency_key"`
	UserID     *whole  `json:"user_id"`
	MerchantID *whole  `json:"merchant_id"`
	Amount     *whole  `json:"amount_minor"`
	Currency   *string `json:"currency"`
	Signature  *string `json:"signature"`
}

type paymentAnswer struct {
	PaymentID string        `json:"payment_id"`
	Status    store.Outcome `json:"status"`
	Amount    int64         `json:"amount_minor"`
	Fee       int64         `json:"fee_minor"`
}

type declined struct {
	Status string        `json:"status"`
	Reason rules.Decline `json:"reason"`
}

func decline(reason rules.Decline) response {
	return response{http.StatusPaymentRequired, declined{"declined", reason}}
}

// pay looks up at once, verifies, decides, captures.
func (s *service) pay(r *http.Request) (response, error) {
	payment, signature, err := readPayment(r)
	if err != nil {
		return response{}, err
	}
	ctx := r.Context()

	var (
		wg                              sync.WaitGroup
		user                            rules.User
		merchant                        rules.Merchant
		limits                          rules.Limits
		userErr, merchantErr, limitsErr error
	)
	wg.Go(func() { user, userErr = s.store.User(ctx, payment.UserID) })
	wg.Go(func() { merchant, merchantErr = s.store.Merchant(ctx, payment.MerchantID) })
	wg.Go(func() { limits, limitsErr = s.store.Limits(ctx, payment.UserID) })
	wg.Wait()
	if err := errors.Join(userErr, merchantErr, limitsErr); errors.Is(err, store.ErrNotFound) {
		return response{}, notFound("there is no such user or merchant")
	} else if err != nil {
		return response{}, err
	}

	key := rules.Stretch(s.seed, payment.MerchantID, s.rounds)
	if reason := rules.Decide(payment, user, merchant, limits, key.Signed(payment, signature)); reason != "" {
		return decline(reason), nil
	}
	outcome, fee, err := s.store.Capture(ctx, payment, user, merchant.Fee(payment.AmountMinor))
	if err != nil {
		return response{}, err
	}

	answer := paymentAnswer{"pay-" + payment.Key, store.Captured, payment.AmountMinor, fee}
	switch outcome {
	case store.Captured:
		return response{http.StatusCreated, answer}, nil
	case store.Replayed:
		return response{http.StatusOK, answer}, nil
	case store.InsufficientFunds:
		return decline(rules.InsufficientFunds), nil
	default:
		return response{}, &failure{http.StatusConflict, "the key belongs to another payment"}
	}
}

func readPayment(r *http.Request) (payment rules.Payment, signature string, err error) {
	var b paymentBody
	if err := read(r, &b); err != nil {
		return payment, "", err
	}
	if b.Key == nil || b.UserID == nil || b.MerchantID == nil || b.Amount == nil || b.Currency == nil ||
		b.Signature == nil {
		return payment, "", malformed("a field is missing")
	}
	payment, err = rules.NewPayment(*b.Key, uint64(*b.UserID), uint64(*b.MerchantID), uint64(*b.Amount), *b.Currency)
	if err != nil {
		return payment, "", unprocessable(err.Error())
	}
	return payment, *b.Signature, nil
}
