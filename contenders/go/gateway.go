package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	upstreamMax      = 10 * time.Second // for a whole answer
	upstreamBytesMax = 64 << 10
	gatewayIDMax     = 1<<53 - 2 // the next one is asked for as well
)

// upstream is the service behind the gateway.
type upstream struct {
	address string
	client  *http.Client
}

func newUpstream(address string, connections int) *upstream {
	if address == "" {
		return nil
	}
	return &upstream{strings.TrimSuffix(address, "/"), &http.Client{
		Timeout: upstreamMax,
		Transport: &http.Transport{
			MaxConnsPerHost:     connections,
			MaxIdleConns:        connections,
			MaxIdleConnsPerHost: connections,
			IdleConnTimeout:     idleMax,
		},
	}}
}

type gatewayAnswer struct {
	ID     uint64    `json:"id"`
	Values [2]uint64 `json:"values"`
}

// gateway asks the upstream for two values at once and joins them.
func (s *service) gateway(r *http.Request) (response, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil || id > gatewayIDMax {
		return response{}, notFound("there is no such id")
	}
	if s.upstream == nil {
		return response{}, notFound("there is no upstream: BAKEOFF_UPSTREAM_URL is not set")
	}

	answer := gatewayAnswer{ID: id}
	var errs [2]error
	var wg sync.WaitGroup
	for i := range answer.Values {
		wg.Go(func() { answer.Values[i], errs[i] = s.upstream.value(r.Context(), id+uint64(i)) })
	}
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return response{}, &failure{http.StatusBadGateway, err.Error()}
	}
	return response{http.StatusOK, answer}, nil
}

// value asks for one value.
func (u *upstream) value(ctx context.Context, id uint64) (uint64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/upstream/%d", u.address, id), nil)
	if err != nil {
		return 0, err
	}
	answer, err := u.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	// Read to the end, or the connection cannot be used again.
	body, err := io.ReadAll(io.LimitReader(answer.Body, upstreamBytesMax))
	if err != nil {
		return 0, err
	}
	var found struct {
		Value *whole `json:"value"`
	}
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the upstream answered %d", answer.StatusCode)
	}
	if err := json.Unmarshal(body, &found); err != nil || found.Value == nil {
		return 0, errors.New("the upstream answered without a value")
	}
	return uint64(*found.Value), nil
}
