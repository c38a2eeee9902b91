import { type Answer, type App, Failure } from "../app.js";
import { UNKNOWN } from "../rules/dataset.js";
import { type Distribution, distributionOf, points } from "../rules/loyalty.js";
import { fieldsOf, idOf, whole } from "./fields.js";

/** Accounts of one distribution that are under way at once; larger ones take turns. */
const FAN_OUT_MAX = 10_000;

/** `POST /loyalty/distributions`: credits every member once, and finishes what was left half-way. */
export async function distribute(app: App, body: unknown): Promise<Answer> {
  const distribution = read(app, body);
  const same = await app.store.begin(distribution);
  if (!same) throw new Failure(409, "the id belongs to another distribution");
  const total = await creditAll(app, distribution);
  return { status: 200, body: { credited: distribution.members.length, points: total } };
}

/** Credits all accounts at once; only the pool of connections bounds how many get on together. */
async function creditAll(app: App, distribution: Distribution): Promise<number> {
  const { members } = distribution;
  let total = 0;
  for (let first = 0; first < members.length; first += FAN_OUT_MAX) {
    const length = Math.min(FAN_OUT_MAX, members.length - first);
    const accounts = Array.from({ length }, (_, index) => members.id(first + index));
    const credited = await Promise.all(accounts.map((id) => credit(app, distribution, id)));
    total += credited.reduce((sum, points) => sum + points, 0);
  }
  return total;
}

/** Loads an account, works out its points and credits them. */
async function credit(app: App, distribution: Distribution, id: number): Promise<number> {
  const row = await app.store.account(id);
  if (row === undefined) throw new Error(`the store has no account ${id}`);
  const given = points(distribution.terms.spendMinor, distribution.bonusPercent, row.account);
  await app.store.credit(distribution, id, given);
  return given;
}

/** `GET /loyalty/accounts/{id}` */
export async function account(app: App, digits: string): Promise<Answer> {
  const id = idOf(digits, UNKNOWN, "account");
  const row = await app.store.account(id);
  if (row === undefined) throw new Failure(404, "there is no such account");
  return { status: 200, body: { account_id: id, tier: row.account.tier, points: row.points } };
}

function read(app: App, body: unknown): Distribution {
  const fields = fieldsOf(body);
  const distribution = distributionOf(app.data, {
    id: whole(fields, "distribution_id"),
    businessId: whole(fields, "business_id"),
    firstAccount: whole(fields, "first_account"),
    accounts: whole(fields, "accounts"),
    spendMinor: whole(fields, "spend_minor"),
  });
  if ("why" in distribution) throw new Failure(distribution.status, distribution.why);
  return distribution;
}
