// One process, one thread: nothing here needs a lock.

import { BUSINESSES, type Dataset, POPULATION, type User } from "../rules/dataset.js";
import type { Distribution, Terms } from "../rules/loyalty.js";
import type { Payment } from "../rules/payment.js";
import type { Audit, Outcome, Store } from "./store.js";

interface Captured {
  payment: Payment;
  feeMinor: number;
}

interface Begun {
  terms: Terms;
  /** 1 at the place of each member that was credited. */
  credited: Uint8Array;
}

export class Memory implements Store {
  readonly #payments = new Map<string, Captured>();
  readonly #distributions = new Map<number, Begun>();
  readonly #webhooks = new Map<string, string>();
  // By id; a double holds any amount below 2^53.
  readonly #spent = new Float64Array(POPULATION + 1);
  readonly #points = new Float64Array(POPULATION + 1);
  readonly #received = new Float64Array(BUSINESSES + 1);
  readonly #fees = new Float64Array(BUSINESSES + 1);
  #pointsIssued = 0;
  #credits = 0;

  constructor(private readonly data: Dataset) {}

  async user(id: number) {
    return this.data.user(id);
  }

  async limits(userId: number) {
    return this.data.limits(userId);
  }

  async merchant(id: number) {
    return this.data.merchant(id);
  }

  async account(id: number) {
    const account = this.data.account(id);
    return account && { account, points: this.#points[id]! };
  }

  async capture(
    payment: Payment,
    user: User,
    feeMinor: number,
  ): Promise<{ outcome: Outcome; feeMinor: number }> {
    const { key, userId, merchantId, amountMinor } = payment;
    const earlier = this.#payments.get(key);
    if (earlier !== undefined) {
      const outcome = isSamePayment(earlier.payment, payment) ? "replayed" : "conflict";
      return { outcome, feeMinor: earlier.feeMinor };
    }
    if (this.#spent[userId]! + amountMinor > user.openingBalanceMinor) {
      return { outcome: "insufficient_funds", feeMinor };
    }
    this.#spent[userId]! += amountMinor;
    this.#payments.set(key, { payment, feeMinor });
    this.#received[merchantId]! += amountMinor - feeMinor;
    this.#fees[merchantId]! += feeMinor;
    return { outcome: "captured", feeMinor };
  }

  async begin({ terms, members }: Distribution) {
    const earlier = this.#distributions.get(terms.id);
    if (earlier !== undefined) return areSameTerms(earlier.terms, terms);
    this.#distributions.set(terms.id, { terms, credited: new Uint8Array(members.length) });
    return true;
  }

  async credit({ terms, members }: Distribution, account: number, points: number) {
    const begun = this.#distributions.get(terms.id);
    if (begun === undefined) throw new Error(`distribution ${terms.id} was not begun`);
    const index = members.index(account);
    if (begun.credited[index] === 1) return;
    begun.credited[index] = 1;
    this.#points[account]! += points;
    this.#pointsIssued += points;
    this.#credits += 1;
  }

  async receive(eventId: string, body: string) {
    if (this.#webhooks.has(eventId)) return false;
    this.#webhooks.set(eventId, body);
    return true;
  }

  async audit(): Promise<Audit> {
    return {
      money_in_minor: sum(this.#spent),
      money_out_minor: sum(this.#received),
      fees_minor: sum(this.#fees),
      points_issued: this.#pointsIssued,
      points_held: sum(this.#points),
      applied: {
        payments: this.#payments.size,
        distributions: this.#distributions.size,
        credits: this.#credits,
        webhooks: this.#webhooks.size,
      },
    };
  }

  async close() {}
}

function isSamePayment(a: Payment, b: Payment): boolean {
  return (
    a.userId === b.userId &&
    a.merchantId === b.merchantId &&
    a.amountMinor === b.amountMinor &&
    a.currency === b.currency
  );
}

function areSameTerms(a: Terms, b: Terms): boolean {
  return (
    a.businessId === b.businessId &&
    a.firstAccount === b.firstAccount &&
    a.accounts === b.accounts &&
    a.spendMinor === b.spendMinor
  );
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
