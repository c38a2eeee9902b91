// A million users and accounts, 700 merchants and businesses: each row a function of the seed and its id.

export const POPULATION = 1_000_000;
export const BUSINESSES = 700;
export const EVERYONE = 0;

/** An id that no table has and every table's id column can hold. */
export const UNKNOWN = 2 ** 31 - 1;

export interface User {
  blocked: boolean;
  openingBalanceMinor: number;
}

export interface Limits {
  perPaymentMinor: number;
}

export interface Merchant {
  closed: boolean;
  feeBps: number;
}

/** In the order of the database. */
export const TIERS = ["basic", "silver", "gold", "platinum"] as const;
export type Tier = (typeof TIERS)[number];

export interface Account {
  tier: Tier;
  capPoints: number;
}

export interface Business {
  bonusPercent: number;
}

export class Dataset {
  readonly #seed: number;

  /** The rows of `seed`, of which both halves count. */
  constructor(seed: bigint) {
    this.#seed = Number(BigInt.asUintN(32, seed ^ (seed >> 32n)));
  }

  user(id: number): User | undefined {
    const h = this.#row(1, id, 1, POPULATION);
    return h === undefined
      ? undefined
      : { blocked: h % 100 === 0, openingBalanceMinor: 1_000_000 + ((h >>> 8) % 9_000_000) };
  }

  limits(userId: number): Limits | undefined {
    const h = this.#row(2, userId, 1, POPULATION);
    return h === undefined ? undefined : { perPaymentMinor: 500_000 * (1 + (h % 10)) };
  }

  merchant(id: number): Merchant | undefined {
    const h = this.#row(3, id, 1, BUSINESSES);
    return h === undefined ? undefined : { closed: h % 100 === 0, feeBps: 50 + ((h >>> 8) % 201) };
  }

  account(id: number): Account | undefined {
    const h = this.#row(4, id, 1, POPULATION);
    return h === undefined
      ? undefined
      : { tier: tier(h % 100), capPoints: 500 + 100 * ((h >>> 8) % 16) };
  }

  business(id: number): Business | undefined {
    const h = this.#row(5, id, EVERYONE, BUSINESSES);
    return h === undefined ? undefined : { bonusPercent: 10 * (h % 6) };
  }

  #row(table: number, id: number, first: number, last: number): number | undefined {
    return id >= first && id <= last ? fmix32(id ^ fmix32(this.#seed ^ table)) : undefined;
  }
}

function tier(share: number): Tier {
  if (share < 60) return "basic";
  if (share < 85) return "silver";
  return share < 97 ? "gold" : "platinum";
}

/** The 32-bit finalizer of MurmurHash3; the result is from 0. */
function fmix32(h: number): number {
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The accounts of a business in ascending order, from a first one on. */
export class Members {
  private constructor(
    private readonly first: number,
    private readonly step: number,
    readonly length: number,
  ) {}

  /** The first `count` members with ids from `first` on, if there are so many. */
  static of(business: number, first: number, count: number): Members | undefined {
    if (business > BUSINESSES || count < 1) return undefined;
    let from = Math.min(Math.max(first, 1), POPULATION + 1);
    let step = 1;
    if (business !== EVERYONE) {
      from += (business + BUSINESSES - (from % BUSINESSES)) % BUSINESSES;
      step = BUSINESSES;
    }
    const last = from + step * (count - 1);
    return last <= POPULATION ? new Members(from, step, count) : undefined;
  }

  /** The account of the member at `index`. */
  id(index: number): number {
    return this.first + this.step * index;
  }

  /** The place of the member with this account. */
  index(account: number): number {
    return (account - this.first) / this.step;
  }
}
