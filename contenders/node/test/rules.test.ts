// The published vectors, which share no code with these rules.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Dataset, Members } from "../src/rules/dataset.js";
import { points } from "../src/rules/loyalty.js";
import { feeMinor } from "../src/rules/payment.js";
import { isSigned, stretch } from "../src/rules/signature.js";

// Below build-test/test/ once it is compiled.
const file = new URL("../../../../contracts/vectors.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8"));

function each(section: string, check: (vector: any) => void): void {
  test(section, () => {
    assert.ok(vectors[section].length >= 5, `${section} has ${vectors[section].length} vectors`);
    vectors[section].forEach(check);
  });
}

each("rows", (v) => {
  const data = new Dataset(BigInt(v.seed));
  const user = data.user(v.id);
  const limits = data.limits(v.id);
  const merchant = data.merchant(v.id);
  const account = data.account(v.id);
  const business = data.business(v.id);
  const rows = {
    seed: v.seed,
    id: v.id,
    user: user ? { blocked: user.blocked, opening_balance_minor: user.openingBalanceMinor } : null,
    limits: limits ? { per_payment_minor: limits.perPaymentMinor } : null,
    merchant: merchant ? { closed: merchant.closed, fee_bps: merchant.feeBps } : null,
    account: account ? { tier: account.tier, cap_points: account.capPoints } : null,
    business: business ? { bonus_percent: business.bonusPercent } : null,
  };
  assert.deepEqual(rows, v);
});

each("fees", (v) => {
  assert.equal(feeMinor(v.amount_minor, { closed: false, feeBps: v.fee_bps }), v.fee_minor);
});

each("points", (v) => {
  const account = { tier: v.tier, capPoints: v.cap_points };
  assert.equal(points(v.spend_minor, v.bonus_percent, account), v.points);
});

each("members", (v) => {
  const members = Members.of(v.business_id, v.first_account, v.accounts);
  const ids = members && Array.from({ length: members.length }, (_, index) => members.id(index));
  assert.deepEqual(ids ?? null, v.members);
  ids?.forEach((id, index) => assert.equal(members?.index(id), index));
});

each("signatures", (v) => {
  const key = stretch(BigInt(v.seed), v.merchant_id, v.rounds);
  assert.ok(isSigned(key, v.text, v.signature));
  for (const other of [v.signature.toUpperCase(), "", `${v.signature}0`]) {
    assert.ok(!isSigned(key, v.text, other));
  }
});
