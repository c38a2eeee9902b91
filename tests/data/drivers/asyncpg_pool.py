"""asyncpg and its pool, at the address in argv[1]."""
import asyncio
import sys

import asyncpg


async def main(url):
    pool = await asyncpg.create_pool(url, min_size=2, max_size=2)
    for _ in range(3):
        async with pool.acquire() as connection:
            row = await connection.fetchrow("SELECT blocked, opening_balance_minor FROM user_rows WHERE id = $1", 17)
            assert row["opening_balance_minor"] >= 1_000_000, row
            async with connection.transaction():
                await connection.execute("SELECT fresh FROM receive_webhook('a', 'b')")
                try:
                    async with connection.transaction():
                        await connection.execute("SELECT nothing FROM nowhere")
                    raise SystemExit("no error")
                except asyncpg.PostgresSyntaxError as error:
                    assert error.hint, error
                assert await connection.fetchval("SELECT 1") == 1
            try:
                await connection.execute("SELECT pg_sleep(30)", timeout=0.2)
                raise SystemExit("no timeout")
            except asyncio.TimeoutError:
                pass
            assert await connection.fetchval("SELECT now()") is not None, "the connection is as good as before"
    await pool.close()


asyncio.run(main(sys.argv[1]))
