package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"path"
	"strconv"

	"bakeoff/contenders/go/rules"
	"bakeoff/contenders/go/store"
)

// bodyBytesMax bounds the body of a request (413 beyond it).
const bodyBytesMax = 64 << 10

// service is what every request shares.
type service struct {
	data     rules.Dataset
	seed     uint64
	rounds   int
	store    store.Store
	upstream *upstream
}

func newService(c config, data rules.Dataset, st store.Store) *service {
	return &service{
		data: data, seed: c.seed, rounds: c.rounds, store: st, upstream: newUpstream(c.upstreamURL, c.pool),
	}
}

// response is a status and what goes into the body as JSON.
type response struct {
	status int
	body   any
}

// failure is a response that ends a request early.
type failure struct {
	status  int
	message string
}

func (f *failure) Error() string { return f.message }

func malformed(message string) error     { return &failure{http.StatusBadRequest, message} }
func unprocessable(message string) error { return &failure{http.StatusUnprocessableEntity, message} }
func notFound(message string) error      { return &failure{http.StatusNotFound, message} }

// handler answers a request, or says why not.
type handler func(*http.Request) (response, error)

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	for _, route := range []struct {
		method, path string
		handler      handler
	}{
		{"GET", "/healthz", s.health},
		{"GET", "/null", s.null},
		{"GET", "/audit", s.audit},
		{"POST", "/payments", s.pay},
		{"POST", "/loyalty/distributions", s.distribute},
		{"GET", "/loyalty/accounts/{id}", s.account},
		{"POST", "/webhooks", s.webhook},
		{"GET", "/gateway/{id}", s.gateway},
	} {
		mux.Handle(route.method+" "+route.path, route.handler)
		mux.Handle(route.path, otherMethod(route.method))
	}
	mux.Handle("/", noRoute)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would redirect to the clean path; the contract knows no redirects.
		if path.Clean(r.URL.Path) != r.URL.Path {
			noRoute.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

var noRoute handler = func(*http.Request) (response, error) {
	return response{}, notFound("there is no such route")
}

// otherMethod answers what comes to a route with a method that it does not take.
func otherMethod(method string) http.Handler {
	allow := method
	if method == http.MethodGet {
		allow = "GET, HEAD"
	}
	refuse := handler(func(*http.Request) (response, error) {
		return response{}, &failure{http.StatusMethodNotAllowed, "this route takes " + allow}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		refuse.ServeHTTP(w, r)
	})
}

// ServeHTTP implements http.Handler.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := h(r)
	var f *failure
	switch {
	case err == nil:
		write(w, answer)
	case errors.As(err, &f):
		if f.status == http.StatusRequestEntityTooLarge {
			// Not a byte more of this body is read.
			w.Header().Set("Connection", "close")
		}
		write(w, response{f.status, errorBody{f.message}})
	case r.Context().Err() != nil:
		// The client has gone, and nobody reads the answer.
		write(w, response{http.StatusServiceUnavailable, errorBody{"the client has gone"}})
	default:
		log.Printf("%s %s: %v", r.Method, r.URL.Path, err)
		write(w, response{http.StatusServiceUnavailable, errorBody{"the store does not answer"}})
	}
}

type errorBody struct {
	Error string `json:"error"`
}

func write(w http.ResponseWriter, answer response) {
	body, err := json.Marshal(answer.body)
	if err != nil {
		panic(err) // Structs of numbers and strings are JSON.
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.status)
	w.Write(body) // A client that has gone needs no answer.
}

// read takes the body of a request into v, a struct with a pointer for each field that must be there.
func read(r *http.Request, v any) error {
	if r.ContentLength > bodyBytesMax {
		return tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, bodyBytesMax))
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return tooLarge
	} else if err != nil {
		return malformed("the body did not arrive whole")
	}
	return parse(body, v)
}

var tooLarge = &failure{http.StatusRequestEntityTooLarge, "a body has at most 65536 bytes"}
