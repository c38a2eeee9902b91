package bakeoff;

import java.net.URI;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.Semaphore;

/**
 * A database with the schema of contracts/schema.sql: it is read through the views and written through the functions.
 * Each connection prepares a statement once, and each statement is one round trip.
 */
final class Postgres implements Store {
    private static final String USER = "SELECT blocked, opening_balance_minor FROM user_rows WHERE id = ?";
    private static final String LIMITS = "SELECT per_payment_minor FROM limit_rows WHERE user_id = ?";
    private static final String MERCHANT = "SELECT closed, fee_bps FROM merchant_rows WHERE id = ?";
    private static final String ACCOUNT = "SELECT tier, cap_points, points FROM account_rows WHERE id = ?";
    private static final String CAPTURE = "SELECT outcome, fee_minor FROM capture(?, ?, ?, ?, ?, ?)";
    private static final String BEGIN = "SELECT same FROM begin_distribution(?, ?, ?, ?, ?)";
    private static final String CREDIT = "SELECT fresh FROM credit(?, ?, ?)";
    private static final String WEBHOOK = "SELECT fresh FROM receive_webhook(?, ?)";
    private static final String AUDIT = "SELECT * FROM audit()";

    private record Pooled(Connection connection, Map<String, PreparedStatement> statements) {}

    private interface Row<T> {
        T read(ResultSet row) throws SQLException;
    }

    private final String url;
    private final Properties properties = new Properties();
    /** In the order in which they ask. */
    private final Semaphore free;
    private final ConcurrentLinkedDeque<Pooled> idle = new ConcurrentLinkedDeque<>();

    /** Connects once; the other connections are opened when they are needed. */
    Postgres(String address, int connections) throws SQLException {
        URI uri = URI.create(address);
        String query = uri.getQuery();
        url = "jdbc:postgresql://" + uri.getHost() + ":" + uri.getPort() + uri.getPath() + (query == null ? "" : "?" + query);
        String[] user = uri.getUserInfo() == null ? new String[0] : uri.getUserInfo().split(":", 2);
        if (user.length > 0) properties.setProperty("user", user[0]);
        if (user.length > 1) properties.setProperty("password", user[1]);
        if (query == null || !query.contains("sslmode=")) properties.setProperty("sslmode", "disable");
        // Prepared at its first use, not at its fifth.
        properties.setProperty("prepareThreshold", "1");
        // Settings go with the greeting, not as queries after it.
        properties.setProperty("assumeMinServerVersion", "9.4");
        properties.setProperty("connectTimeout", "10");
        free = new Semaphore(connections, true);
        idle.push(connect());
    }

    private Pooled connect() throws SQLException {
        return new Pooled(DriverManager.getConnection(url, properties), new HashMap<>());
    }

    /** The first row of a statement, or null. */
    private <T> T first(String sql, Row<T> row, Object... parameters) throws SQLException, InterruptedException {
        free.acquire();
        try {
            Pooled pooled = idle.poll();
            if (pooled == null) pooled = connect();
            try {
                PreparedStatement statement = pooled.statements.get(sql);
                if (statement == null) {
                    statement = pooled.connection.prepareStatement(sql);
                    pooled.statements.put(sql, statement);
                }
                for (int i = 0; i < parameters.length; i++) statement.setObject(i + 1, parameters[i]);
                T value = null;
                try (ResultSet rows = statement.executeQuery()) {
                    if (rows.next()) value = row.read(rows);
                }
                idle.push(pooled);
                return value;
            } catch (SQLException e) {
                pooled.connection.close();
                throw e;
            }
        } finally {
            free.release();
        }
    }

    @Override
    public Dataset.User user(int id) throws Exception {
        return first(USER, row -> new Dataset.User(row.getBoolean(1), row.getLong(2)), id);
    }

    @Override
    public Dataset.Limits limits(int userId) throws Exception {
        return first(LIMITS, row -> new Dataset.Limits(row.getLong(1)), userId);
    }

    @Override
    public Dataset.Merchant merchant(int id) throws Exception {
        return first(MERCHANT, row -> new Dataset.Merchant(row.getBoolean(1), row.getLong(2)), id);
    }

    @Override
    public Held account(int id) throws Exception {
        return first(ACCOUNT, row -> {
            Dataset.Tier tier = Dataset.Tier.values()[row.getInt(1)];
            return new Held(new Dataset.Account(tier, row.getLong(2)), row.getLong(3));
        }, id);
    }

    @Override
    public Capture capture(Payment payment, Dataset.User user, long feeMinor) throws Exception {
        return first(CAPTURE, row -> new Capture(Outcome.valueOf(row.getString(1)), row.getLong(2)),
            payment.key(), payment.userId(), payment.merchantId(), payment.amountMinor(), payment.currency(), feeMinor);
    }

    @Override
    public boolean begin(Distribution distribution) throws Exception {
        Distribution.Terms terms = distribution.terms();
        return first(BEGIN, row -> row.getBoolean(1),
            terms.id(), terms.businessId(), terms.firstAccount(), terms.accounts(), terms.spendMinor());
    }

    @Override
    public void credit(Distribution distribution, int account, long points) throws Exception {
        first(CREDIT, row -> row.getBoolean(1), distribution.terms().id(), account, points);
    }

    @Override
    public boolean receive(String eventId, String body) throws Exception {
        return first(WEBHOOK, row -> row.getBoolean(1), eventId, body);
    }

    @Override
    public Audit audit() throws Exception {
        return first(AUDIT, row -> new Audit(row.getLong(1), row.getLong(2), row.getLong(3), row.getLong(4), row.getLong(5),
            row.getLong(6), row.getLong(7), row.getLong(8), row.getLong(9)));
    }
}
