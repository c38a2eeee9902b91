"""psycopg 3 and its pool, at the address in argv[1]."""
import sys
import threading

import psycopg
from psycopg_pool import ConnectionPool

url = sys.argv[1]
with psycopg.connect(url) as connection:
    row = connection.execute("SELECT tier, cap_points, points FROM account_rows WHERE id = %s", (7,)).fetchone()
    assert row is not None and row[2] == 0, row
    wide = connection.execute("SELECT tier, cap_points, points FROM account_rows WHERE id = %s", (3_000_000_000,))
    assert wide.fetchone() is None
    connection.execute("SELECT pg_sleep(%s)", (0,))
    with connection.transaction():
        try:
            with connection.transaction():
                connection.execute("SELECT nothing FROM nowhere")
            raise SystemExit("no error")
        except psycopg.Error as error:
            assert error.sqlstate == "42601" and error.diag.message_hint, error
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert psycopg.types.TypeInfo.fetch(connection, "hstore") is None
with psycopg.connect(url, autocommit=True) as connection:
    threading.Timer(0.2, connection.cancel).start()
    try:
        connection.execute("SELECT pg_sleep(30)")
        raise SystemExit("not cancelled")
    except psycopg.errors.QueryCanceled:
        pass
with ConnectionPool(url, min_size=2, check=ConnectionPool.check_connection) as pool:
    with pool.connection() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
