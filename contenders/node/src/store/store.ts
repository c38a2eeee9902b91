// Where the rows are looked up and where what happens is kept.

import type { Account, Limits, Merchant, User } from "../rules/dataset.js";
import type { Distribution } from "../rules/loyalty.js";
import type { Payment } from "../rules/payment.js";

export type Outcome = "captured" | "replayed" | "conflict" | "insufficient_funds";

/** Each figure is counted apart from the one that it must agree with. */
export interface Audit {
  money_in_minor: number;
  money_out_minor: number;
  fees_minor: number;
  points_issued: number;
  points_held: number;
  applied: { payments: number; distributions: number; credits: number; webhooks: number };
}

export interface Store {
  /** These read one row; there may be none. */
  user(id: number): Promise<User | undefined>;
  limits(userId: number): Promise<Limits | undefined>;
  merchant(id: number): Promise<Merchant | undefined>;
  account(id: number): Promise<{ account: Account; points: number } | undefined>;

  /** Moves the money once for each key. Of an earlier time it gives the fee of then. */
  capture(
    payment: Payment,
    user: User,
    feeMinor: number,
  ): Promise<{ outcome: Outcome; feeMinor: number }>;
  /** Remembers the terms; whether the id came with these, now or before. */
  begin(distribution: Distribution): Promise<boolean>;
  /** Gives points to an account once for each distribution that was begun. */
  credit(distribution: Distribution, account: number, points: number): Promise<void>;
  /** Keeps an event once; whether it is new. */
  receive(eventId: string, body: string): Promise<boolean>;

  audit(): Promise<Audit>;
  close(): Promise<void>;
}
