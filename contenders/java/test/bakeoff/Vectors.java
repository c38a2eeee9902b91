package bakeoff;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.io.File;

/** The published examples of contracts/vectors.json, which share no code with the server. */
final class Vectors {
    private static JsonNode all;
    private static int count;

    public static void main(String[] arguments) throws Exception {
        all = new ObjectMapper().readTree(new File(arguments[0]));
        rows();
        fees();
        points();
        members();
        signatures();
        System.out.println("java: " + count + " published examples hold");
    }

    private static JsonNode section(String name) {
        if (all.path(name).size() < 5) throw new AssertionError("too few " + name);
        return all.get(name);
    }

    /** As text, because Jackson tells an int of 5 from a long of 5. */
    private static void same(JsonNode vector, Object expected, Object actual) {
        if (!String.valueOf(expected).equals(String.valueOf(actual))) {
            throw new AssertionError(vector + ": expected " + expected + ", not " + actual);
        }
        count++;
    }

    private static long seed(JsonNode vector) {
        return vector.get("seed").bigIntegerValue().longValue();
    }

    private static void rows() {
        for (JsonNode v : section("rows")) {
            Dataset data = new Dataset(seed(v));
            int id = Dataset.clamp(v.get("id").longValue());
            Dataset.User user = data.user(id);
            Dataset.Limits limits = data.limits(id);
            Dataset.Merchant merchant = data.merchant(id);
            Dataset.Account account = data.account(id);
            Dataset.Business business = data.business(id);
            same(v, v.get("user"), user == null ? null
                : Json.object().put("blocked", user.blocked()).put("opening_balance_minor", user.openingBalanceMinor()));
            same(v, v.get("limits"), limits == null ? null
                : Json.object().put("per_payment_minor", limits.perPaymentMinor()));
            same(v, v.get("merchant"), merchant == null ? null
                : Json.object().put("closed", merchant.closed()).put("fee_bps", merchant.feeBps()));
            same(v, v.get("account"), account == null ? null
                : Json.object().put("tier", account.tier().name()).put("cap_points", account.capPoints()));
            same(v, v.get("business"), business == null ? null
                : Json.object().put("bonus_percent", business.bonusPercent()));
        }
    }

    private static void fees() {
        for (JsonNode v : section("fees")) {
            Dataset.Merchant merchant = new Dataset.Merchant(false, v.get("fee_bps").longValue());
            same(v, v.get("fee_minor"), merchant.fee(v.get("amount_minor").longValue()));
        }
    }

    private static void points() {
        for (JsonNode v : section("points")) {
            Distribution.Terms terms = new Distribution.Terms(1, 0, 1, 1, v.get("spend_minor").longValue());
            Dataset.Business business = new Dataset.Business(v.get("bonus_percent").longValue());
            Dataset.Tier tier = Dataset.Tier.valueOf(v.get("tier").textValue());
            Dataset.Account account = new Dataset.Account(tier, v.get("cap_points").longValue());
            same(v, v.get("points"), new Distribution(terms, business, 1, 1, 1).points(account));
        }
    }

    private static void members() {
        for (JsonNode v : section("members")) {
            Distribution.Terms terms = new Distribution.Terms(1, v.get("business_id").longValue(),
                v.get("first_account").longValue(), v.get("accounts").longValue(), 1);
            ArrayNode ids = null;
            try {
                Distribution distribution = Distribution.of(new Dataset(0), terms);
                ids = new ObjectMapper().createArrayNode();
                for (int i = 0; i < distribution.count(); i++) {
                    ids.add(distribution.account(i));
                    same(v, i, distribution.index(distribution.account(i)));
                }
            } catch (Failure tooFew) {
                // Then the example has no members.
            }
            same(v, v.get("members"), ids);
        }
    }

    private static void signatures() {
        for (JsonNode v : section("signatures")) {
            String[] text = v.get("text").textValue().split("\\|");
            Payment payment = Payment.of(text[0], Long.parseLong(text[1]), Long.parseLong(text[2]),
                Long.parseLong(text[3]), text[4]);
            String signature = v.get("signature").textValue();
            long rounds = v.get("rounds").longValue();
            same(v, true, payment.isSigned(signature, seed(v), rounds));
            same(v, false, payment.isSigned(signature.toUpperCase(), seed(v), rounds));
            same(v, false, payment.isSigned("", seed(v), rounds));
        }
    }
}
