package bakeoff;

/** A distribution whose fields are in range: its members are `count` accounts from `first` on, `step` apart. */
record Distribution(Terms terms, Dataset.Business business, int first, int step, int count) {
    private static final long SPEND_MAX_MINOR = 10_000_000;
    private static final long ID_MAX = (1L << 53) - 1;

    /** The fields as they came: what a replay must repeat. */
    record Terms(long id, long businessId, long firstAccount, long accounts, long spendMinor) {}

    /** Checks each field for itself, then the business, then whether its members suffice. */
    static Distribution of(Dataset data, Terms terms) {
        if (terms.id > ID_MAX) throw Failure.unprocessable("distribution_id must be below 2^53");
        if (terms.accounts < 1 || terms.accounts > Dataset.POPULATION) {
            throw Failure.unprocessable("accounts must be 1 to 1000000");
        }
        if (terms.spendMinor < 1 || terms.spendMinor > SPEND_MAX_MINOR) {
            throw Failure.unprocessable("spend_minor must be 1 to 10000000");
        }
        int businessId = Dataset.clamp(terms.businessId);
        Dataset.Business business = data.business(businessId);
        if (business == null) throw Failure.notFound("there is no such business");
        int first = (int) Math.min(Math.max(terms.firstAccount, 1), Dataset.POPULATION + 1);
        int step = 1;
        if (businessId != Dataset.EVERYONE) {
            step = Dataset.BUSINESSES;
            first += (businessId + step - first % step) % step;
        }
        if (first + step * (terms.accounts - 1) > Dataset.POPULATION) {
            throw Failure.unprocessable("accounts must be at most the members from first_account on");
        }
        return new Distribution(terms, business, first, step, (int) terms.accounts);
    }

    int account(int index) {
        return first + step * index;
    }

    int index(int account) {
        return (account - first) / step;
    }

    /** What it gives to an account, which does not depend on what the account holds. */
    long points(Dataset.Account account) {
        long base = terms.spendMinor / 100;
        return Math.min(account.capPoints(), base * account.tier().percent * (100 + business.bonusPercent()) / 10_000);
    }
}
