package bakeoff;

/** What the services remember. Rows that are not there are null. Each call may block its thread. */
interface Store {
    enum Outcome { captured, replayed, conflict, insufficient_funds }

    record Capture(Outcome outcome, long feeMinor) {}

    record Held(Dataset.Account account, long points) {}

    /** The books. Each figure is counted apart from the one that it must agree with. */
    record Audit(long moneyIn, long moneyOut, long fees, long issued, long held,
                 long payments, long distributions, long credits, long webhooks) {}

    Dataset.User user(int id) throws Exception;

    Dataset.Limits limits(int userId) throws Exception;

    Dataset.Merchant merchant(int id) throws Exception;

    Held account(int id) throws Exception;

    /** Moves the money of a payment once for each key. */
    Capture capture(Payment payment, Dataset.User user, long feeMinor) throws Exception;

    /** Stores the terms, and returns whether the id came with these, now or before. */
    boolean begin(Distribution distribution) throws Exception;

    /** Gives points to an account once for each distribution that was begun. */
    void credit(Distribution distribution, int account, long points) throws Exception;

    /** Keeps an event once, and returns whether it is new. */
    boolean receive(String eventId, String body) throws Exception;

    Audit audit() throws Exception;
}
