package main

import (
	"net/http"
	"strings"

	"bakeoff/contenders/go/rules"
)

type webhookBody struct {
	EventID *string `json:"event_id"`
	Body    *string `json:"body"`
}

type webhookAnswer struct {
	EventID string `json:"event_id"`
	Status  string `json:"status"`
}

// webhook keeps an event once, however often it is delivered.
func (s *service) webhook(r *http.Request) (response, error) {
	var b webhookBody
	if err := read(r, &b); err != nil {
		return response{}, err
	}
	switch {
	case b.EventID == nil || b.Body == nil:
		return response{}, malformed("a field is missing")
	case !rules.IsKey(*b.EventID):
		return response{}, malformed("event_id must be 1 to 64 visible ASCII characters without quote or backslash")
	case strings.Contains(*b.Body, "\x00"):
		return response{}, malformed("body must be text without NUL, which a database cannot keep")
	}
	fresh, err := s.store.Receive(r.Context(), *b.EventID, *b.Body)
	if err != nil {
		return response{}, err
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusAccepted
	}
	return response{status, webhookAnswer{*b.EventID, "received"}}, nil
}
