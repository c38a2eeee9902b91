package bakeoff;

/** The rows of a seed. No row is stored: each is a function of the seed and its id. */
final class Dataset {
    static final int POPULATION = 1_000_000;
    static final int BUSINESSES = 700;
    /** The business that all accounts are members of. */
    static final int EVERYONE = 0;
    /** An id that no table has and every table's id column can hold. Greater ones come to it. */
    static final int UNKNOWN = Integer.MAX_VALUE;

    record User(boolean blocked, long openingBalanceMinor) {}

    record Limits(long perPaymentMinor) {}

    record Merchant(boolean closed, long feeBps) {
        /** Its share of an amount, rounded half up, at least 1. */
        long fee(long amountMinor) {
            return Math.max(1, (amountMinor * feeBps + 5_000) / 10_000);
        }
    }

    /** In the order of the database. */
    enum Tier {
        basic(100), silver(125), gold(150), platinum(200);

        final long percent;

        Tier(long percent) {
            this.percent = percent;
        }
    }

    /** A loyalty account without its points, which are state. */
    record Account(Tier tier, long capPoints) {}

    record Business(long bonusPercent) {}

    private final int seed;

    Dataset(long seed) {
        this.seed = (int) (seed ^ seed >>> 32);
    }

    User user(int id) {
        if (!within(id, 1, POPULATION)) return null;
        int h = row(1, id);
        return new User(remainder(h, 100) == 0, 1_000_000 + (h >>> 8) % 9_000_000);
    }

    Limits limits(int userId) {
        if (!within(userId, 1, POPULATION)) return null;
        return new Limits(500_000L * (1 + remainder(row(2, userId), 10)));
    }

    Merchant merchant(int id) {
        if (!within(id, 1, BUSINESSES)) return null;
        int h = row(3, id);
        return new Merchant(remainder(h, 100) == 0, 50 + (h >>> 8) % 201);
    }

    Account account(int id) {
        if (!within(id, 1, POPULATION)) return null;
        int h = row(4, id);
        int share = remainder(h, 100);
        Tier tier = share < 60 ? Tier.basic : share < 85 ? Tier.silver : share < 97 ? Tier.gold : Tier.platinum;
        return new Account(tier, 500 + 100 * ((h >>> 8) % 16));
    }

    Business business(int id) {
        if (!within(id, EVERYONE, BUSINESSES)) return null;
        return new Business(10 * remainder(row(5, id), 6));
    }

    static int clamp(long id) {
        return (int) Math.min(id, UNKNOWN);
    }

    private static boolean within(int id, int first, int last) {
        return first <= id && id <= last;
    }

    private static int remainder(int unsigned, int by) {
        return Integer.remainderUnsigned(unsigned, by);
    }

    private int row(int table, int id) {
        return fmix32(id ^ fmix32(seed ^ table));
    }

    /** The 32-bit finalizer of MurmurHash3. */
    private static int fmix32(int h) {
        h ^= h >>> 16;
        h *= 0x85ebca6b;
        h ^= h >>> 13;
        h *= 0xc2b2ae35;
        return h ^ h >>> 16;
    }
}
