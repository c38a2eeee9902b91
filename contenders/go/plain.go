package main

import "net/http"

type healthAnswer struct {
	Ready     bool   `json:"ready"`
	Contender string `json:"contender"`
}

type nullAnswer struct {
	OK bool `json:"ok"`
}

// health says that the server is there, and which one.
func (s *service) health(*http.Request) (response, error) {
	return response{http.StatusOK, healthAnswer{Ready: true, Contender: "go"}}, nil
}

// null does nothing: what HTTP alone costs.
func (s *service) null(*http.Request) (response, error) {
	return response{http.StatusOK, nullAnswer{OK: true}}, nil
}

// audit shows the books.
func (s *service) audit(r *http.Request) (response, error) {
	audit, err := s.store.Audit(r.Context())
	return response{http.StatusOK, audit}, err
}
