// What a payment is, whether it is allowed, and what it costs. Money is in minor units and stays below 2^53.

import { UNKNOWN, type Limits, type Merchant, type User } from "./dataset.js";

const AMOUNT_MAX_MINOR = 10_000_000;
const CURRENCIES = ["EUR", "USD", "GBP"];

export interface Payment {
  key: string;
  userId: number;
  merchantId: number;
  amountMinor: number;
  currency: string;
}

/** What is out of range in the fields as they came, if anything is. */
export function paymentDefect(payment: Payment): string | undefined {
  const { key, amountMinor, currency } = payment;
  if (!isKey(key)) {
    return "idempotency_key must be 1 to 64 visible ASCII characters without quote or backslash";
  }
  if (amountMinor < 1 || amountMinor > AMOUNT_MAX_MINOR) return "amount_minor must be 1 to 10000000";
  if (!CURRENCIES.includes(currency)) return "currency must be EUR, USD or GBP";
  return undefined;
}

const KEY = /^[!#-[\]-~]{1,64}$/;

/** Whether `text` can name a payment or an event. */
export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** An id too large for any table is unknown, not out of range. */
export function clampId(id: number): number {
  return Math.min(id, UNKNOWN);
}

/** The text that a payer signs. */
export function canonical({ key, userId, merchantId, amountMinor, currency }: Payment): string {
  return `${key}|${userId}|${merchantId}|${amountMinor}|${currency}`;
}

export type Decline =
  | "bad_signature"
  | "user_blocked"
  | "merchant_closed"
  | "limit_exceeded"
  | "insufficient_funds";

/** The first reason to decline that needs no balance. */
export function decide(
  payment: Payment,
  user: User,
  merchant: Merchant,
  limits: Limits,
  signed: boolean,
): Decline | undefined {
  if (!signed) return "bad_signature";
  if (user.blocked) return "user_blocked";
  if (merchant.closed) return "merchant_closed";
  if (payment.amountMinor > limits.perPaymentMinor) return "limit_exceeded";
  return undefined;
}

/** What the merchant pays: its share rounded half up, at least 1. */
export function feeMinor(amountMinor: number, merchant: Merchant): number {
  return Math.max(1, Math.floor((amountMinor * merchant.feeBps + 5_000) / 10_000));
}
