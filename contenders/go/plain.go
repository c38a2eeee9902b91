package main

import (
	"net/http"
	"runtime"
	"strings"
)

type healthAnswer struct {
	Ready     bool   `json:"ready"`
	Contender string `json:"contender"`
	Runtime   string `json:"runtime"`
}

type nullAnswer struct {
	OK bool `json:"ok"`
}

// goVersion is that of the toolchain which built this, as in "Go 1.27.3".
var goVersion = "Go " + strings.TrimPrefix(runtime.Version(), "go")

// health says that the server is there, and which one.
func (s *service) health(*http.Request) (response, error) {
	return response{http.StatusOK, healthAnswer{Ready: true, Contender: "go", Runtime: goVersion}}, nil
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
