package bakeoff;

/** What the environment says. A database or an upstream that is null is not there. */
record Config(String address, int port, long seed, long signatureRounds, int workers, String databaseUrl, int pool,
              String upstreamUrl) {
    static Config fromEnvironment() {
        int cores = Runtime.getRuntime().availableProcessors();
        String address = text("BAKEOFF_ADDRESS");
        return new Config(address == null ? "127.0.0.1" : address, (int) number("BAKEOFF_PORT", 0, 0, 65_535),
            unsigned("BAKEOFF_SEED", 42),
            number("BAKEOFF_SIGNATURE_ROUNDS", 0, 0, (1L << 32) - 1), (int) number("BAKEOFF_WORKERS", cores, 1, 1_024),
            text("BAKEOFF_DATABASE_URL"), (int) number("BAKEOFF_POOL", 32, 1, 10_000), text("BAKEOFF_UPSTREAM_URL"));
    }

    private static String text(String name) {
        String text = System.getenv(name);
        return text == null || text.isEmpty() ? null : text;
    }

    private static long number(String name, long unset, long least, long most) {
        String text = text(name);
        if (text == null) return unset;
        try {
            long value = Long.parseLong(text);
            if (value >= least && value <= most) return value;
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw new IllegalArgumentException(name + " must be a whole number from " + least + " to " + most + ", not " + text);
    }

    private static long unsigned(String name, long unset) {
        String text = text(name);
        try {
            return text == null ? unset : Long.parseUnsignedLong(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(name + " must be a whole number below 2^64, not " + text);
        }
    }
}
