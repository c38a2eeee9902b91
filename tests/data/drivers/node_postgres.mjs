// node-postgres and its pool, at the address in argv[2].
import assert from "node:assert";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.argv[2], max: 2 });
assert((await pool.query("SELECT NOW()")).rows[0].now instanceof Date);
const user = await pool.query("SELECT blocked, opening_balance_minor FROM user_rows WHERE id = $1", [17]);
assert.equal(user.rowCount, 1);
const named = { name: "limits", text: "SELECT per_payment_minor FROM limit_rows WHERE user_id = $1", values: [5] };
for (let turn = 0; turn < 2; turn++) assert.equal((await pool.query(named)).rowCount, 1);
const client = await pool.connect();
await client.query("BEGIN");
await client.query("SAVEPOINT a");
await assert.rejects(client.query("SELECT nothing FROM nowhere"), (error) => error.code === "42601" && Boolean(error.hint));
await client.query("ROLLBACK TO SAVEPOINT a");
await client.query("COMMIT");
client.release();
await pool.end();
