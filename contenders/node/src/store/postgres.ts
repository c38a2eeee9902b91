// A database with the schema of contracts/schema.sql: reads go through the views, writes through the functions, and
// each statement is one round trip.

import pg from "pg";

import { type Merchant, TIERS, type User } from "../rules/dataset.js";
import type { Distribution } from "../rules/loyalty.js";
import type { Payment } from "../rules/payment.js";
import type { Audit, Outcome, Store } from "./store.js";

/** How long the first connection may take. */
const CONNECT_MAX_MS = 10_000;

// Every int8 of the schema stays below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

// A statement with a name is prepared once on each connection.
const USER = { name: "user", text: "SELECT blocked, opening_balance_minor FROM user_rows WHERE id = $1" };
const LIMITS = { name: "limits", text: "SELECT per_payment_minor FROM limit_rows WHERE user_id = $1" };
const MERCHANT = { name: "merchant", text: "SELECT closed, fee_bps FROM merchant_rows WHERE id = $1" };
const ACCOUNT = { name: "account", text: "SELECT tier, cap_points, points FROM account_rows WHERE id = $1" };
const CAPTURE = { name: "capture", text: "SELECT outcome, fee_minor FROM capture($1, $2, $3, $4, $5, $6)" };
const BEGIN = { name: "begin", text: "SELECT same FROM begin_distribution($1, $2, $3, $4, $5)" };
const CREDIT = { name: "credit", text: "SELECT fresh FROM credit($1, $2, $3)" };
const WEBHOOK = { name: "webhook", text: "SELECT fresh FROM receive_webhook($1, $2)" };
const AUDIT = { name: "audit", text: "SELECT * FROM audit()" };

export class Postgres implements Store {
  private constructor(private readonly pool: pg.Pool) {}

  /** Connects, with at most `connections` at once. */
  static async open(connectionString: string, connections: number): Promise<Postgres> {
    const pool = new pg.Pool({
      connectionString,
      max: connections,
      // What was opened stays open, as long as the server does.
      idleTimeoutMillis: 0,
    });
    // A connection that breaks while nobody uses it leaves the pool; the next query opens another.
    pool.on("error", (error) => console.error(`a connection to the database broke: ${error.message}`));
    const timeout = AbortSignal.timeout(CONNECT_MAX_MS);
    const late = new Promise<never>((_, reject) => {
      timeout.addEventListener("abort", () => reject(new Error("the database does not answer")));
    });
    const client = await Promise.race([pool.connect(), late]);
    client.release();
    return new Postgres(pool);
  }

  async user(id: number): Promise<User | undefined> {
    const row = await this.#first(USER, [id]);
    return row && { blocked: row.blocked, openingBalanceMinor: row.opening_balance_minor };
  }

  async limits(userId: number) {
    const row = await this.#first(LIMITS, [userId]);
    return row && { perPaymentMinor: row.per_payment_minor };
  }

  async merchant(id: number): Promise<Merchant | undefined> {
    const row = await this.#first(MERCHANT, [id]);
    return row && { closed: row.closed, feeBps: row.fee_bps };
  }

  async account(id: number) {
    const row = await this.#first(ACCOUNT, [id]);
    if (row === undefined) return undefined;
    const tier = TIERS[row.tier as number];
    if (tier === undefined) throw new Error(`account ${id} has the tier ${row.tier}`);
    return { account: { tier, capPoints: row.cap_points }, points: row.points };
  }

  async capture(payment: Payment, _user: User, feeMinor: number) {
    const { key, userId, merchantId, amountMinor, currency } = payment;
    const row = await this.#one(CAPTURE, [key, userId, merchantId, amountMinor, currency, feeMinor]);
    return { outcome: row.outcome as Outcome, feeMinor: row.fee_minor };
  }

  async begin({ terms }: Distribution) {
    const { id, businessId, firstAccount, accounts, spendMinor } = terms;
    const row = await this.#one(BEGIN, [id, businessId, firstAccount, accounts, spendMinor]);
    return row.same;
  }

  async credit({ terms }: Distribution, account: number, points: number) {
    await this.#one(CREDIT, [terms.id, account, points]);
  }

  async receive(eventId: string, body: string) {
    const row = await this.#one(WEBHOOK, [eventId, body]);
    return row.fresh;
  }

  async audit(): Promise<Audit> {
    const { payments, distributions, credits, webhooks, ...sums } = await this.#one(AUDIT, []);
    return { ...(sums as Omit<Audit, "applied">), applied: { payments, distributions, credits, webhooks } };
  }

  async close() {
    await this.pool.end();
  }

  async #first(statement: { name: string; text: string }, values: unknown[]) {
    const result = await this.pool.query({ ...statement, values });
    return result.rows[0];
  }

  async #one(statement: { name: string; text: string }, values: unknown[]) {
    const row = await this.#first(statement, values);
    if (row === undefined) throw new Error(`the statement ${statement.name} gave no row`);
    return row;
  }
}
