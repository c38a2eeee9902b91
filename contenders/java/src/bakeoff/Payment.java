package bakeoff;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** A payment whose fields are in range. That it exists says nothing about whether it is allowed. */
record Payment(String key, int userId, int merchantId, long amountMinor, String currency) {
    private static final long AMOUNT_MAX_MINOR = 10_000_000;
    private static final int KEY_BYTES_MAX = 64;
    /** How many keys the merchants share. */
    private static final int SIGNING_KEYS = 16;

    /** Checks the ranges of the fields as they came. An id too large for any table is unknown, not out of range. */
    static Payment of(String key, long userId, long merchantId, long amountMinor, String currency) {
        if (!isKey(key)) {
            throw Failure.unprocessable("idempotency_key must be 1 to 64 visible ASCII characters without quote or backslash");
        }
        if (amountMinor < 1 || amountMinor > AMOUNT_MAX_MINOR) {
            throw Failure.unprocessable("amount_minor must be 1 to 10000000");
        }
        if (!currency.equals("EUR") && !currency.equals("USD") && !currency.equals("GBP")) {
            throw Failure.unprocessable("currency must be EUR, USD or GBP");
        }
        return new Payment(key, Dataset.clamp(userId), Dataset.clamp(merchantId), amountMinor, currency);
    }

    /** Whether a key can name a payment or an event. */
    static boolean isKey(String key) {
        return !key.isEmpty() && key.length() <= KEY_BYTES_MAX
            && key.chars().allMatch(c -> c > ' ' && c <= '~' && c != '"' && c != '\\');
    }

    /** The first reason to decline that needs no balance, or null. */
    String decline(Dataset.User user, Dataset.Merchant merchant, Dataset.Limits limits, boolean signed) {
        if (!signed) return "bad_signature";
        if (user.blocked()) return "user_blocked";
        if (merchant.closed()) return "merchant_closed";
        return amountMinor > limits.perPaymentMinor() ? "limit_exceeded" : null;
    }

    /** Whether a signature is this payment's. The key is computed anew, by the work that a scenario sets. */
    boolean isSigned(String signature, long seed, long rounds) {
        MessageDigest sha = sha256();
        sha.update("bakeoff-key".getBytes(StandardCharsets.US_ASCII));
        for (int shift = 0; shift < 64; shift += 8) sha.update((byte) (seed >>> shift));
        sha.update((byte) (merchantId % SIGNING_KEYS));
        byte[] digest = sha.digest();
        for (long round = 0; round < rounds; round++) digest = sha.digest(digest);
        sha.update(digest);
        sha.update(canonical().getBytes(StandardCharsets.US_ASCII));
        byte[] expected = HexFormat.of().formatHex(sha.digest()).getBytes(StandardCharsets.US_ASCII);
        return MessageDigest.isEqual(expected, signature.getBytes(StandardCharsets.UTF_8));
    }

    /** The text that a payer signs. */
    private String canonical() {
        return key + '|' + userId + '|' + merchantId + '|' + amountMinor + '|' + currency;
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException impossible) {
            throw new AssertionError(impossible);
        }
    }
}
