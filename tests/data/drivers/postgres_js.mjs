// postgres.js as it is by default, at the address in argv[2].
import assert from "node:assert";
import postgres from "postgres";

const sql = postgres(process.argv[2], { max: 2 });
assert.equal((await sql`SELECT tier, cap_points, points FROM account_rows WHERE id = ${7}`).length, 1);
await sql.begin(async (transaction) => {
    const failed = transaction.savepoint((inner) => inner`SELECT nothing FROM nowhere`);
    await assert.rejects(failed, (error) => error.code === "42601" && Boolean(error.hint));
    assert.equal((await transaction`SELECT 1 AS one`)[0].one, 1);
});
const sleeps = sql`SELECT pg_sleep(30)`.execute();
setTimeout(() => sleeps.cancel(), 200);
await assert.rejects(sleeps, (error) => error.code === "57014");
await sql.end();
