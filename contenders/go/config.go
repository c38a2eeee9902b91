package main

import (
	"fmt"
	"os"
	"strconv"
)

// config is what the environment says.
type config struct {
	address     string // an IP address of this machine
	port        int
	seed        uint64
	rounds      int    // of a signature
	workers     int    // threads that run Go code; 0 leaves that to the runtime, which asks the affinity mask
	databaseURL string // empty keeps everything in memory
	pool        int    // connections to the database, and to the upstream
	upstreamURL string // empty for none
}

func configFromEnv() (config, error) {
	c := config{
		address:     os.Getenv("BAKEOFF_ADDRESS"),
		databaseURL: os.Getenv("BAKEOFF_DATABASE_URL"),
		upstreamURL: os.Getenv("BAKEOFF_UPSTREAM_URL"),
	}
	if c.address == "" {
		c.address = "127.0.0.1"
	}
	var err error
	if c.seed, err = number("BAKEOFF_SEED", 42, 0, 1<<64-1); err != nil {
		return c, err
	}
	for _, n := range []struct {
		to          *int
		name        string
		unset       uint64
		least, most uint64
	}{
		{&c.port, "BAKEOFF_PORT", 0, 0, 65_535},
		{&c.rounds, "BAKEOFF_SIGNATURE_ROUNDS", 0, 0, 1<<32 - 1},
		{&c.workers, "BAKEOFF_WORKERS", 0, 1, 1_024},
		{&c.pool, "BAKEOFF_POOL", 32, 1, 10_000},
	} {
		value, err := number(n.name, n.unset, n.least, n.most)
		if err != nil {
			return c, err
		}
		*n.to = int(value)
	}
	return c, nil
}

func number(name string, unset, least, most uint64) (uint64, error) {
	text := os.Getenv(name)
	if text == "" {
		return unset, nil
	}
	value, err := strconv.ParseUint(text, 10, 64)
	if err != nil || value < least || value > most {
		return 0, fmt.Errorf("%s must be a whole number from %d to %d, not %q", name, least, most, text)
	}
	return value, nil
}
