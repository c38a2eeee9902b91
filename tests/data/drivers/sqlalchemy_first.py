"""SQLAlchemy's first connection through each driver that there is, at the address in argv[1]."""
import asyncio
import sys

from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

url = sys.argv[1].removeprefix("postgres")
for driver in ("psycopg2", "psycopg"):
    engine = create_engine(f"postgresql+{driver}{url}", pool_pre_ping=True)
    for _ in range(2):
        with engine.begin() as connection:
            limits = text("SELECT per_payment_minor FROM limit_rows WHERE user_id = :id")
            assert connection.execute(limits, {"id": 5}).scalar() > 0
            with connection.begin_nested():
                assert connection.execute(text("SELECT 1")).scalar() == 1
    engine.dispose()


async def through_asyncpg():
    engine = create_async_engine(f"postgresql+asyncpg{url}", pool_pre_ping=True)
    for _ in range(2):
        async with engine.begin() as connection:
            assert (await connection.execute(text("SELECT 1"))).scalar() == 1
    await engine.dispose()


asyncio.run(through_asyncpg())
