// PostgreSQL's JDBC driver, at host and port in args[0].
import java.sql.*;

class Jdbc {
    public static void main(String[] args) throws Exception {
        try (Connection connection = DriverManager.getConnection("jdbc:postgresql://" + args[0] + "/any?user=me&sslmode=disable")) {
            check(connection.isValid(5), "isValid");
            String account = "SELECT tier, cap_points, points FROM account_rows WHERE id = ?";
            // From the fifth time on it is a named statement with its columns in binary.
            for (int turn = 0; turn < 8; turn++) {
                try (PreparedStatement statement = connection.prepareStatement(account)) {
                    statement.setLong(1, 7L);
                    ResultSet rows = statement.executeQuery();
                    check(rows.next() && rows.getLong(3) == 0, "a row");
                    statement.setLong(1, 3_000_000_000L);
                    check(!statement.executeQuery().next(), "no row");
                }
            }
            connection.setAutoCommit(false);
            Savepoint savepoint = connection.setSavepoint();
            try (Statement statement = connection.createStatement()) {
                statement.execute("SELECT nothing FROM nowhere");
                check(false, "an error");
            } catch (SQLException error) {
                check("42601".equals(error.getSQLState()), error.toString());
            }
            connection.rollback(savepoint);
            connection.commit();
            connection.setAutoCommit(true);
            try (Statement statement = connection.createStatement()) {
                statement.setQueryTimeout(1);
                statement.execute("SELECT pg_sleep(30)");
                check(false, "a timeout");
            } catch (SQLException error) {
                check("57014".equals(error.getSQLState()), error.toString());
            }
        }
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }
}
