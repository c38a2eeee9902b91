// Command server is the contender "go": the services of CONTRACT.md on net/http, database/sql and goroutines.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"bakeoff/contenders/go/rules"
	"bakeoff/contenders/go/store"
)

// How long a peer may take, and requests in hand once the server is told to stop.
const (
	headMax     = 10 * time.Second
	bodyMax     = 10 * time.Second
	idleMax     = 75 * time.Second
	answerMax   = 60 * time.Second // from the end of the head: all the work and the writing
	shutdownMax = 5 * time.Second
)

// headBytesMax bounds the head of a request (431 beyond it).
const headBytesMax = 16 << 10

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// A reader of stdout may go away.
	signal.Ignore(syscall.SIGPIPE)

	c, err := configFromEnv()
	if err != nil {
		return err
	}
	if c.workers > 0 {
		runtime.GOMAXPROCS(c.workers)
	}
	data := rules.NewDataset(c.seed)
	st, err := openStore(c, data)
	if err != nil {
		return err
	}
	defer st.Close()

	// The kernel's limit bounds the backlog: Go listens with all of net.core.somaxconn.
	listener, err := net.Listen("tcp", net.JoinHostPort(c.address, fmt.Sprint(c.port)))
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           newService(c, data, st).routes(),
		ReadHeaderTimeout: headMax,
		ReadTimeout:       headMax + bodyMax,
		WriteTimeout:      answerMax,
		IdleTimeout:       idleMax,
		MaxHeaderBytes:    headBytesMax,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Println("listening", listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownMax)
	defer cancel()
	if err := server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		// What is not finished by now is cut off.
		return server.Close()
	} else if err != nil {
		return err
	}
	return nil
}

func openStore(c config, data rules.Dataset) (store.Store, error) {
	if c.databaseURL == "" {
		return store.NewMemory(data), nil
	}
	st, err := store.OpenPostgres(c.databaseURL, c.pool)
	if err != nil {
		return nil, fmt.Errorf("cannot use the database of BAKEOFF_DATABASE_URL: %w", err)
	}
	return st, nil
}
