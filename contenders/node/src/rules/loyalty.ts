// What a distribution is and how many points it gives to one account.

import { type Account, type Dataset, Members, POPULATION, type Tier } from "./dataset.js";
import { clampId } from "./payment.js";

const SPEND_MAX_MINOR = 10_000_000;

const PERCENT: Record<Tier, number> = { basic: 100, silver: 125, gold: 150, platinum: 200 };

/** A distribution's fields as they came: what a replay must repeat. */
export interface Terms {
  id: number;
  businessId: number;
  firstAccount: number;
  accounts: number;
  spendMinor: number;
}

/** A distribution whose fields are in range, with its members. */
export interface Distribution {
  terms: Terms;
  members: Members;
  bonusPercent: number;
}

/** Why a distribution cannot be: 404 or 422. */
export interface Refusal {
  status: 404 | 422;
  why: string;
}

/** Checks each field for itself, then the business, then whether its members suffice. */
export function distributionOf(data: Dataset, terms: Terms): Distribution | Refusal {
  const { id, businessId, firstAccount, accounts, spendMinor } = terms;
  if (id > Number.MAX_SAFE_INTEGER) return outOfRange("distribution_id must be below 2^53");
  if (accounts < 1 || accounts > POPULATION) return outOfRange("accounts must be 1 to 1000000");
  if (spendMinor < 1 || spendMinor > SPEND_MAX_MINOR) {
    return outOfRange("spend_minor must be 1 to 10000000");
  }
  const business = data.business(businessId);
  if (business === undefined) return { status: 404, why: "there is no such business" };
  const members = Members.of(businessId, clampId(firstAccount), accounts);
  if (members === undefined) {
    return outOfRange("accounts must be at most the members from first_account on");
  }
  return { terms, members, bonusPercent: business.bonusPercent };
}

function outOfRange(why: string): Refusal {
  return { status: 422, why };
}

/** The base by tier and campaign, at most the account's cap; nothing depends on what the account holds. */
export function points(spendMinor: number, bonusPercent: number, account: Account): number {
  const base = Math.floor(spendMinor / 100);
  const earned = Math.floor((base * PERCENT[account.tier] * (100 + bonusPercent)) / 10_000);
  return Math.min(account.capPoints, earned);
}
