package rules

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
)

// signingKeys is how many keys the merchants share.
const signingKeys = 16

// Key is a stretched signing key.
type Key [sha256.Size]byte

// Stretch works out the key of a merchant: the work that a scenario dials, done anew for each payment.
func Stretch(seed uint64, merchant uint32, rounds int) Key {
	first := binary.LittleEndian.AppendUint64([]byte("bakeoff-key"), seed)
	digest := sha256.Sum256(append(first, byte(merchant%signingKeys)))
	for range rounds {
		digest = sha256.Sum256(digest[:])
	}
	return digest
}

// Signed reports whether signature, in lower-case hexadecimal, is that of p under k.
func (k Key) Signed(p Payment, signature string) bool {
	return subtle.ConstantTimeCompare([]byte(k.sign(p.canonical())), []byte(signature)) == 1
}

func (k Key) sign(text []byte) string {
	digest := sha256.Sum256(append(k[:], text...))
	return hex.EncodeToString(digest[:])
}
