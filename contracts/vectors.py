#!/usr/bin/env python3
"""CONTRACT.md once more, in another language: writes vectors.json, or with --check compares it with what is there.

Shares no code with the crate. Python's standard library only.
"""

import hashlib
import json
import pathlib
import sys

M32 = 0xFFFFFFFF
POPULATION, BUSINESSES = 1_000_000, 700
USER, LIMITS, MERCHANT, ACCOUNT, BUSINESS = 1, 2, 3, 4, 5


def fmix32(h):
    h ^= h >> 16
    h = h * 0x85EBCA6B & M32
    h ^= h >> 13
    h = h * 0xC2B2AE35 & M32
    return h ^ h >> 16


class Dataset:
    def __init__(self, seed):
        self.seed = (seed ^ seed >> 32) & M32

    def row(self, table, key, first, last):
        return fmix32(key ^ fmix32(self.seed ^ table)) if first <= key <= last else None

    def user(self, key):
        h = self.row(USER, key, 1, POPULATION)
        return h if h is None else {
            "blocked": h % 100 == 0, "opening_balance_minor": 1_000_000 + (h >> 8) % 9_000_000}

    def limits(self, key):
        h = self.row(LIMITS, key, 1, POPULATION)
        return h if h is None else {"per_payment_minor": 500_000 * (1 + h % 10)}

    def merchant(self, key):
        h = self.row(MERCHANT, key, 1, BUSINESSES)
        return h if h is None else {"closed": h % 100 == 0, "fee_bps": 50 + (h >> 8) % 201}

    def account(self, key):
        h = self.row(ACCOUNT, key, 1, POPULATION)
        if h is None:
            return None
        share = h % 100
        tier = ("basic" if share < 60 else "silver" if share < 85 else "gold" if share < 97 else "platinum")
        return {"tier": tier, "cap_points": 500 + 100 * ((h >> 8) % 16)}

    def business(self, key):
        h = self.row(BUSINESS, key, 0, BUSINESSES)
        return h if h is None else {"bonus_percent": 10 * (h % 6)}


def members(business, first, count):
    every = range(max(first, 1), POPULATION + 1)
    if business:
        every = [a for a in range(business, POPULATION + 1, BUSINESSES) if a >= max(first, 1)]
    return list(every[:count]) if 1 <= count <= len(every) else None


def fee(amount, merchant):
    return max(1, (amount * merchant["fee_bps"] + 5_000) // 10_000)


def points(spend, account, business):
    percent = {"basic": 100, "silver": 125, "gold": 150, "platinum": 200}[account["tier"]]
    return min(account["cap_points"], spend // 100 * percent * (100 + business["bonus_percent"]) // 10_000)


def canonical(p):
    return "|".join(str(p[f]) for f in ("idempotency_key", "user_id", "merchant_id", "amount_minor", "currency"))


def sign(seed, rounds, p):
    key = hashlib.sha256(b"bakeoff-key" + seed.to_bytes(8, "little") + bytes([p["merchant_id"] % 16])).digest()
    for _ in range(rounds):
        key = hashlib.sha256(key).digest()
    return hashlib.sha256(key + canonical(p).encode()).hexdigest()


class Server:
    """Well-formed requests only: what a malformed one is answered is written beside it."""

    def __init__(self, seed, rounds):
        self.data, self.seed, self.rounds = Dataset(seed), seed, rounds
        self.payments, self.spent, self.distributions, self.held = {}, {}, {}, {}

    def pay(self, p):
        user, merchant = self.data.user(p["user_id"]), self.data.merchant(p["merchant_id"])
        declined = lambda reason: (402, {"status": "declined", "reason": reason})
        if not 1 <= p["amount_minor"] <= 10_000_000 or p["currency"] not in ("EUR", "USD", "GBP"):
            return 422, None
        if user is None or merchant is None:
            return 404, None
        if p["signature"] != sign(self.seed, self.rounds, p):
            return declined("bad_signature")
        if user["blocked"]:
            return declined("user_blocked")
        if merchant["closed"]:
            return declined("merchant_closed")
        if p["amount_minor"] > self.data.limits(p["user_id"])["per_payment_minor"]:
            return declined("limit_exceeded")
        fields = [p[f] for f in ("user_id", "merchant_id", "amount_minor", "currency")]
        earlier = self.payments.get(p["idempotency_key"])
        if earlier and earlier[0] != fields:
            return 409, None
        spent = self.spent.get(p["user_id"], 0)
        if not earlier and spent + p["amount_minor"] > user["opening_balance_minor"]:
            return declined("insufficient_funds")
        if not earlier:
            self.spent[p["user_id"]] = spent + p["amount_minor"]
            self.payments[p["idempotency_key"]] = fields, fee(p["amount_minor"], merchant)
        answer = {"payment_id": "pay-" + p["idempotency_key"], "status": "captured",
                  "amount_minor": p["amount_minor"], "fee_minor": self.payments[p["idempotency_key"]][1]}
        return (200 if earlier else 201), answer

    def distribute(self, d):
        business = self.data.business(d["business_id"])
        if business is None:
            return 404, None
        who = members(d["business_id"], d["first_account"], d["accounts"])
        if who is None or not 1 <= d["spend_minor"] <= 10_000_000:
            return 422, None
        fields = [d[f] for f in ("business_id", "first_account", "accounts", "spend_minor")]
        if self.distributions.setdefault(d["distribution_id"], (fields, 0))[0] != fields:
            return 409, None
        total = 0
        for account in who:
            given = points(d["spend_minor"], self.data.account(account), business)
            total += given
            if (d["distribution_id"], account) not in self.held:
                self.held[d["distribution_id"], account] = given
        self.distributions[d["distribution_id"]] = fields, total
        return 200, {"credited": len(who), "points": total}

    def read(self, account):
        row = self.data.account(account)
        if row is None:
            return 404, None
        held = sum(given for (_, a), given in self.held.items() if a == account)
        return 200, {"account_id": account, "tier": row["tier"], "points": held}

    def audit(self):
        paid = sum(fields[2] for fields, _ in self.payments.values())
        fees = sum(fee for _, fee in self.payments.values())
        issued = sum(self.held.values())
        return 200, {"money_in_minor": paid, "money_out_minor": paid - fees, "fees_minor": fees,
                     "points_issued": issued, "points_held": issued,
                     "applied": {"payments": len(self.payments), "distributions": len(self.distributions),
                                 "credits": len(self.held), "webhooks": 0}}


def exchanges(seed, rounds):
    server, out = Server(seed, rounds), []
    data = server.data

    def exchange(name, method, path, body, status, answer):
        out.append({"name": name, "method": method, "path": path, "body": body, "status": status, "answer": answer})

    def payment(name, key, user, merchant, amount, currency="EUR", signature=None):
        p = {"idempotency_key": key, "user_id": user, "merchant_id": merchant, "amount_minor": amount,
             "currency": currency}
        p["signature"] = signature or sign(seed, rounds, p)
        exchange(name, "POST", "/payments", json.dumps(p), *server.pay(p))

    def distribution(name, ident, business, first, accounts, spend):
        d = {"distribution_id": ident, "business_id": business, "first_account": first, "accounts": accounts,
             "spend_minor": spend}
        exchange(name, "POST", "/loyalty/distributions", json.dumps(d), *server.distribute(d))

    first = lambda rows, holds: next(i for i in range(1, 100_000) if rows(i) is not None and holds(rows(i)))
    free = first(data.user, lambda u: not u["blocked"])
    blocked = first(data.user, lambda u: u["blocked"])
    shop = first(data.merchant, lambda m: not m["closed"])
    closed = first(data.merchant, lambda m: m["closed"])
    limit = data.limits(free)["per_payment_minor"]

    exchange("the plain route", "GET", "/null", None, 200, {"ok": True})
    payment("captured", "k-1", free, shop, 1_250)
    payment("replayed", "k-1", free, shop, 1_250)
    payment("key reused with another amount", "k-1", free, shop, 1_251)
    payment("key reused with another currency", "k-1", free, shop, 1_250, "USD")
    payment("the least amount and the least fee", "k-2", free, shop, 1)
    payment("at the limit", "k-3", free, shop, limit)
    payment("over the limit", "k-4", free, shop, limit + 1)
    payment("signed wrongly", "k-5", free, shop, 10, signature="0" * 64)
    payment("a replay signed wrongly", "k-1", free, shop, 1_250, signature="0" * 64)
    payment("blocked user", "k-6", blocked, shop, 10)
    payment("closed merchant", "k-7", free, closed, 10)
    payment("blocked user at a closed merchant", "k-8", blocked, closed, 10)
    payment("a declined key is free again", "k-7", free, shop, 10, "GBP")
    balance = data.user(free)["opening_balance_minor"]
    for index in range(20):
        payment(f"until the money is gone, {index}", f"k-drain-{index}", free, shop, min(limit, balance))
        if server.spent[free] + min(limit, balance) > balance:
            break
    payment("not enough money", "k-9", free, shop, min(limit, balance))
    payment("unknown user", "k-10", POPULATION + 1, shop, 10)
    payment("user 0", "k-11", 0, shop, 10)
    payment("unknown merchant", "k-12", free, BUSINESSES + 1, 10)
    payment("nothing", "k-13", free, shop, 0)
    payment("too much", "k-14", free, shop, 10_000_001)
    payment("another currency", "k-15", free, shop, 10, "CHF")
    exchange("no JSON", "POST", "/payments", "{", 400, None)
    exchange("a field is missing", "POST", "/payments", '{"idempotency_key":"k-16"}', 400, None)

    distribution("to three members", 1, 7, 1, 3, 12_345)
    distribution("replayed", 1, 7, 1, 3, 12_345)
    distribution("id reused with other fields", 1, 7, 1, 4, 12_345)
    distribution("to the same members again", 2, 7, 1, 2, 1_000_000)
    distribution("to everyone from an account on", 3, 0, 999_000, 1_001, 5_000)
    distribution("more than there are", 4, 0, 999_001, 1_001, 5_000)
    distribution("all members of a business", 5, 400, 1, 1_429, 99_999)
    distribution("more members than it has", 6, 700, 1, 1_429, 99_999)
    distribution("unknown business", 7, BUSINESSES + 1, 1, 1, 100)
    distribution("no accounts", 8, 7, 1, 0, 100)
    distribution("nothing spent", 9, 7, 1, 1, 0)
    exchange("no JSON", "POST", "/loyalty/distributions", "[]", 400, None)
    for account in (7, 707, 1_407, 8, POPULATION, POPULATION + 1, 0):
        exchange(f"account {account}", "GET", f"/loyalty/accounts/{account}", None, *server.read(account))
    exchange("no such route", "GET", "/nothing", None, 404, None)
    exchange("the wrong method", "GET", "/payments", None, 405, None)
    exchange("the books", "GET", "/audit", None, *server.audit())
    return out


def vectors():
    seeds, ids = (0, 1, 42, (1 << 32) + 5, (1 << 53) - 1), (0, 1, 2, 99, 700, 701, 65_537, POPULATION, POPULATION + 1)
    rows = [{"seed": s, "id": i, "user": d.user(i), "limits": d.limits(i), "merchant": d.merchant(i),
             "account": d.account(i), "business": d.business(i)} for s in seeds for d in [Dataset(s)] for i in ids]
    fees = [{"amount_minor": a, "fee_bps": b, "fee_minor": fee(a, {"fee_bps": b})}
            for a in (1, 33, 34, 1_300, 9_999, 10_000_000) for b in (50, 150, 199, 250)]
    given = [{"spend_minor": s, "tier": t, "cap_points": c, "bonus_percent": b,
              "points": points(s, {"tier": t, "cap_points": c}, {"bonus_percent": b})}
             for s in (99, 100, 12_345, 10_000_000) for t in ("basic", "silver", "gold", "platinum")
             for c, b in ((500, 0), (2_000, 30))]
    p = {"idempotency_key": "k-1", "user_id": 17, "merchant_id": 33, "amount_minor": 1_250, "currency": "EUR"}
    signed = [{"seed": s, "rounds": r, "text": canonical(p), "merchant_id": 33, "signature": sign(s, r, p)}
              for s in (0, 42) for r in (0, 1, 10)]
    some = [{"business_id": b, "first_account": f, "accounts": n, "members": members(b, f, n)}
            for b, f, n in ((0, 0, 3), (0, 999_999, 2), (0, 999_999, 3), (1, 1, 3), (7, 8, 2), (700, 701, 2), (7, 1, 0))]
    return {"seed": 42, "signature_rounds": 0, "rows": rows, "fees": fees, "points": given, "members": some,
            "signatures": signed, "exchanges": exchanges(42, 0)}


if __name__ == "__main__":
    path = pathlib.Path(__file__).with_name("vectors.json")
    sections = [f' "{k}": ' + ("[\n  " + ",\n  ".join(json.dumps(i) for i in v) + "\n ]" if isinstance(v, list)
                               else json.dumps(v)) for k, v in vectors().items()]
    text = "{\n" + ",\n".join(sections) + "\n}\n"
    if "--check" in sys.argv:
        sys.exit(None if path.read_text() == text else f"{path.name} is not what {sys.argv[0]} writes")
    path.write_text(text)
