package main

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"
)

// parse reads body, a JSON object in UTF-8, into v. What is missing from it stays nil.
func parse(body []byte, v any) error {
	if !utf8.Valid(body) {
		return malformed("a body is JSON in UTF-8")
	}
	if err := json.Unmarshal(body, v); err != nil {
		return malformed(err.Error())
	}
	return nil
}

// whole is a number judged by its value, so that 5.0 is 5. One too large for 64 bits is the largest, which is out of
// every range.
type whole uint64

// UnmarshalJSON implements json.Unmarshaler.
func (w *whole) UnmarshalJSON(text []byte) error {
	if n, err := strconv.ParseUint(string(text), 10, 64); err == nil {
		*w = whole(n)
		return nil
	}
	f, err := strconv.ParseFloat(string(text), 64)
	switch {
	case err != nil || f < 0 || f != math.Trunc(f):
		return errors.New("a number here is whole and from 0")
	case f >= 1<<64:
		*w = math.MaxUint64
	default:
		*w = whole(f)
	}
	return nil
}
