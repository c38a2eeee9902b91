package rules

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type vectorFile struct {
	Rows       []rowVector       `json:"rows"`
	Fees       []feeVector       `json:"fees"`
	Points     []pointsVector    `json:"points"`
	Members    []membersVector   `json:"members"`
	Signatures []signatureVector `json:"signatures"`
}

type rowVector struct {
	Seed uint64 `json:"seed"`
	ID   uint32 `json:"id"`
	User *struct {
		Blocked             bool  `json:"blocked"`
		OpeningBalanceMinor int64 `json:"opening_balance_minor"`
	} `json:"user"`
	Limits *struct {
		PerPaymentMinor int64 `json:"per_payment_minor"`
	} `json:"limits"`
	Merchant *struct {
		Closed bool  `json:"closed"`
		FeeBps int64 `json:"fee_bps"`
	} `json:"merchant"`
	Account *struct {
		Tier      string `json:"tier"`
		CapPoints int64  `json:"cap_points"`
	} `json:"account"`
	Business *struct {
		BonusPercent int64 `json:"bonus_percent"`
	} `json:"business"`
}

type feeVector struct {
	AmountMinor int64 `json:"amount_minor"`
	FeeBps      int64 `json:"fee_bps"`
	FeeMinor    int64 `json:"fee_minor"`
}

type pointsVector struct {
	SpendMinor   uint64 `json:"spend_minor"`
	Tier         string `json:"tier"`
	CapPoints    int64  `json:"cap_points"`
	BonusPercent int64  `json:"bonus_percent"`
	Points       int64  `json:"points"`
}

type membersVector struct {
	BusinessID   uint32   `json:"business_id"`
	FirstAccount uint32   `json:"first_account"`
	Accounts     uint32   `json:"accounts"`
	Members      []uint32 `json:"members"`
}

type signatureVector struct {
	Seed       uint64 `json:"seed"`
	Rounds     int    `json:"rounds"`
	Text       string `json:"text"`
	MerchantID uint32 `json:"merchant_id"`
	Signature  string `json:"signature"`
}

// vectors reads the published examples, which share no code with this package.
func vectors(t *testing.T) (v vectorFile) {
	t.Helper()
	text, err := os.ReadFile("../../../contracts/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if min(len(v.Rows), len(v.Fees), len(v.Points), len(v.Members), len(v.Signatures)) < 5 {
		t.Fatal("too few vectors")
	}
	return v
}

func TestRows(t *testing.T) {
	for _, v := range vectors(t).Rows {
		data := NewDataset(v.Seed)
		user, ok := data.User(v.ID)
		check(t, v, ok == (v.User != nil))
		check(t, v, !ok || user == User{v.User.Blocked, v.User.OpeningBalanceMinor})
		limits, ok := data.Limits(v.ID)
		check(t, v, ok == (v.Limits != nil))
		check(t, v, !ok || limits == Limits{v.Limits.PerPaymentMinor})
		merchant, ok := data.Merchant(v.ID)
		check(t, v, ok == (v.Merchant != nil))
		check(t, v, !ok || merchant == Merchant{v.Merchant.Closed, v.Merchant.FeeBps})
		account, ok := data.Account(v.ID)
		check(t, v, ok == (v.Account != nil))
		check(t, v, !ok || account.Tier.String() == v.Account.Tier && account.CapPoints == v.Account.CapPoints)
		business, ok := data.Business(v.ID)
		check(t, v, ok == (v.Business != nil))
		check(t, v, !ok || business == Business{v.Business.BonusPercent})
	}
}

func TestFees(t *testing.T) {
	for _, v := range vectors(t).Fees {
		check(t, v, Merchant{FeeBps: v.FeeBps}.Fee(v.AmountMinor) == v.FeeMinor)
	}
}

func TestPoints(t *testing.T) {
	for _, v := range vectors(t).Points {
		d := Distribution{Terms: Terms{SpendMinor: v.SpendMinor}, business: Business{v.BonusPercent}}
		tier := Tier(slices.Index(tierNames[:], v.Tier))
		check(t, v, d.Points(Account{tier, v.CapPoints}) == v.Points)
	}
}

func TestMembers(t *testing.T) {
	for _, v := range vectors(t).Members {
		members, ok := MembersOf(v.BusinessID, v.FirstAccount, v.Accounts)
		check(t, v, ok == (v.Members != nil))
		for index, id := range v.Members {
			check(t, v, members.ID(index) == id && members.Index(id) == index)
		}
		check(t, v, !ok || members.Len() == len(v.Members))
	}
}

func TestSignatures(t *testing.T) {
	for _, v := range vectors(t).Signatures {
		fields := strings.Split(v.Text, "|")
		numbers := make([]uint64, 3)
		for i := range numbers {
			numbers[i], _ = strconv.ParseUint(fields[i+1], 10, 64)
		}
		p, err := NewPayment(fields[0], numbers[0], numbers[1], numbers[2], fields[4])
		check(t, v, err == nil && string(p.canonical()) == v.Text)
		key := Stretch(v.Seed, v.MerchantID, v.Rounds)
		check(t, v, key.Signed(p, v.Signature))
		check(t, v, !key.Signed(p, strings.ToUpper(v.Signature)) && !key.Signed(p, ""))
	}
}

func check(t *testing.T, vector any, holds bool) {
	t.Helper()
	if !holds {
		text, _ := json.Marshal(vector)
		t.Errorf("%s", text)
	}
}
