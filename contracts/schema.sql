-- The tables and functions for a contender whose store is PostgreSQL. A stand-in answers the same statements.
--
-- A contender sends only the statements listed at the end: it reads through the views and writes through the functions. So a
-- configured latency is part of the schema and invisible to the client: bakeoff replaces the views, and `wait_write()`, by ones
-- that sleep first.
--
-- Each function is one statement, one round trip and one transaction. Its first insert waits for a concurrent one with the
-- same key and then sees its result, so that nothing happens twice.

CREATE TABLE users (
    id                    int4 PRIMARY KEY,
    blocked               bool NOT NULL,
    opening_balance_minor int8 NOT NULL,
    per_payment_minor     int8 NOT NULL,
    spent_minor           int8 NOT NULL DEFAULT 0
);
CREATE TABLE merchants (
    id      int4 PRIMARY KEY,
    closed  bool NOT NULL,
    fee_bps int4 NOT NULL
);
CREATE TABLE accounts (
    id         int4 PRIMARY KEY,
    tier       int2 NOT NULL, -- 0 basic, 1 silver, 2 gold, 3 platinum
    cap_points int8 NOT NULL,
    points     int8 NOT NULL DEFAULT 0
);
CREATE TABLE payments (
    key          text PRIMARY KEY,
    user_id      int4 NOT NULL,
    merchant_id  int4 NOT NULL,
    amount_minor int8 NOT NULL,
    currency     text NOT NULL,
    fee_minor    int8 NOT NULL
);
CREATE TABLE distributions (
    id            int8 PRIMARY KEY,
    business_id   int8 NOT NULL,
    first_account int8 NOT NULL,
    accounts      int8 NOT NULL,
    spend_minor   int8 NOT NULL
);
CREATE TABLE credits (
    distribution_id int8 NOT NULL,
    account_id      int4 NOT NULL,
    points          int8 NOT NULL,
    PRIMARY KEY (distribution_id, account_id)
);
CREATE TABLE webhooks (
    event_id text PRIMARY KEY,
    body     text NOT NULL
);

-- Lookups.

CREATE VIEW user_rows AS SELECT id, blocked, opening_balance_minor FROM users;
CREATE VIEW limit_rows AS SELECT id AS user_id, per_payment_minor FROM users;
CREATE VIEW merchant_rows AS SELECT id, closed, fee_bps FROM merchants;
CREATE VIEW account_rows AS SELECT id, tier, cap_points, points FROM accounts;

-- Writes.

CREATE FUNCTION wait_write() RETURNS void LANGUAGE plpgsql AS 'BEGIN END';

-- Moves the money of a payment once per key. The caller, which has the merchant's row, passes the fee. The outcome is
-- `captured`, `replayed`, `conflict` or `insufficient_funds`; the returned fee is that of the first call.
CREATE FUNCTION capture(
    key_ text, user_id_ int4, merchant_id_ int4, amount_minor_ int8, currency_ text, fee_minor_ int8,
    OUT outcome text, OUT fee_minor int8
) LANGUAGE plpgsql AS $$
DECLARE
    earlier payments;
BEGIN
    PERFORM wait_write();
    fee_minor := fee_minor_;
    INSERT INTO payments VALUES (key_, user_id_, merchant_id_, amount_minor_, currency_, fee_minor_)
        ON CONFLICT (key) DO NOTHING;
    IF NOT FOUND THEN
        SELECT * INTO STRICT earlier FROM payments p WHERE p.key = key_;
        IF (earlier.user_id, earlier.merchant_id, earlier.amount_minor, earlier.currency)
            = (user_id_, merchant_id_, amount_minor_, currency_) THEN
            outcome := 'replayed';
            fee_minor := earlier.fee_minor;
        ELSE
            outcome := 'conflict';
        END IF;
        RETURN;
    END IF;
    UPDATE users SET spent_minor = spent_minor + amount_minor_
        WHERE id = user_id_ AND spent_minor + amount_minor_ <= opening_balance_minor;
    IF FOUND THEN
        outcome := 'captured';
    ELSE
        DELETE FROM payments p WHERE p.key = key_;
        outcome := 'insufficient_funds';
    END IF;
END $$;

-- Stores a distribution's fields; false if its id was used with other fields before.
CREATE FUNCTION begin_distribution(
    id_ int8, business_id_ int8, first_account_ int8, accounts_ int8, spend_minor_ int8, OUT same bool
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM wait_write();
    INSERT INTO distributions VALUES (id_, business_id_, first_account_, accounts_, spend_minor_)
        ON CONFLICT (id) DO NOTHING;
    same := FOUND OR EXISTS (SELECT FROM distributions
        WHERE (id, business_id, first_account, accounts, spend_minor)
            = (id_, business_id_, first_account_, accounts_, spend_minor_));
END $$;

-- Credits an account once per distribution; false if it was credited before.
CREATE FUNCTION credit(distribution_id_ int8, account_id_ int4, points_ int8, OUT fresh bool)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM wait_write();
    INSERT INTO credits VALUES (distribution_id_, account_id_, points_)
        ON CONFLICT (distribution_id, account_id) DO NOTHING;
    fresh := FOUND;
    IF fresh THEN
        UPDATE accounts SET points = points + points_ WHERE id = account_id_;
    END IF;
END $$;

-- Stores an event once; false if it was stored before.
CREATE FUNCTION receive_webhook(event_id_ text, body_ text, OUT fresh bool) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM wait_write();
    INSERT INTO webhooks VALUES (event_id_, body_) ON CONFLICT (event_id) DO NOTHING;
    fresh := FOUND;
END $$;

-- The audit. Each figure is counted separately from the one that it must equal.
CREATE FUNCTION audit(
    OUT money_in_minor int8, OUT money_out_minor int8, OUT fees_minor int8, OUT points_issued int8,
    OUT points_held int8, OUT payments int8, OUT distributions int8, OUT credits int8, OUT webhooks int8
) LANGUAGE sql AS $$
    SELECT
        (SELECT coalesce(sum(spent_minor), 0)::int8 FROM users),
        (SELECT coalesce(sum(amount_minor - fee_minor), 0)::int8 FROM payments),
        (SELECT coalesce(sum(fee_minor), 0)::int8 FROM payments),
        (SELECT coalesce(sum(points), 0)::int8 FROM credits),
        (SELECT coalesce(sum(points), 0)::int8 FROM accounts),
        (SELECT count(*) FROM payments),
        (SELECT count(*) FROM distributions),
        (SELECT count(*) FROM credits),
        (SELECT count(*) FROM webhooks)
$$;

-- The statements of a contender, by name; `src/sql.rs` has them for programs.
--
-- user          SELECT blocked, opening_balance_minor FROM user_rows WHERE id = $1
-- limits        SELECT per_payment_minor FROM limit_rows WHERE user_id = $1
-- merchant      SELECT closed, fee_bps FROM merchant_rows WHERE id = $1
-- account       SELECT tier, cap_points, points FROM account_rows WHERE id = $1
-- capture       SELECT outcome, fee_minor FROM capture($1, $2, $3, $4, $5, $6)
-- begin         SELECT same FROM begin_distribution($1, $2, $3, $4, $5)
-- credit        SELECT fresh FROM credit($1, $2, $3)
-- webhook       SELECT fresh FROM receive_webhook($1, $2)
-- audit         SELECT * FROM audit()
