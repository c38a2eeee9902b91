package bakeoff;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;

/** What a trial changes, in memory. The rows are computed when they are asked for. */
final class Memory implements Store {
    private record Captured(Payment payment, long feeMinor) {}

    /** Bit i % 32 of word i / 32 is set by whoever credits the member i. */
    private record Begun(Distribution.Terms terms, AtomicIntegerArray credited) {}

    private final Dataset data;
    private final ConcurrentHashMap<String, Captured> payments = new ConcurrentHashMap<>();
    private final AtomicLongArray spent = new AtomicLongArray(Dataset.POPULATION + 1);
    private final AtomicLongArray received = new AtomicLongArray(Dataset.BUSINESSES + 1);
    private final AtomicLongArray fees = new AtomicLongArray(Dataset.BUSINESSES + 1);
    private final AtomicLongArray points = new AtomicLongArray(Dataset.POPULATION + 1);
    private final LongAdder issued = new LongAdder();
    private final LongAdder credits = new LongAdder();
    private final ConcurrentHashMap<Long, Begun> distributions = new ConcurrentHashMap<>();
    private final ConcurrentHashMap<String, String> webhooks = new ConcurrentHashMap<>();

    Memory(Dataset data) {
        this.data = data;
    }

    @Override
    public Dataset.User user(int id) {
        return data.user(id);
    }

    @Override
    public Dataset.Limits limits(int userId) {
        return data.limits(userId);
    }

    @Override
    public Dataset.Merchant merchant(int id) {
        return data.merchant(id);
    }

    @Override
    public Held account(int id) {
        Dataset.Account account = data.account(id);
        return account == null ? null : new Held(account, points.get(id));
    }

    /** The key stays locked throughout, so that rivals for it see the outcome. */
    @Override
    public Capture capture(Payment payment, Dataset.User user, long feeMinor) {
        Outcome[] outcome = {Outcome.replayed};
        Captured kept = payments.compute(payment.key(), (key, earlier) -> {
            if (earlier != null) {
                if (!earlier.payment.equals(payment)) outcome[0] = Outcome.conflict;
                return earlier;
            }
            if (!debit(payment, user)) {
                outcome[0] = Outcome.insufficient_funds;
                return null;
            }
            outcome[0] = Outcome.captured;
            received.addAndGet(payment.merchantId(), payment.amountMinor() - feeMinor);
            fees.addAndGet(payment.merchantId(), feeMinor);
            return new Captured(payment, feeMinor);
        });
        return new Capture(outcome[0], kept == null ? 0 : kept.feeMinor);
    }

    /** Takes the amount from the payer, unless the balance does not cover it. */
    private boolean debit(Payment payment, Dataset.User user) {
        while (true) {
            long before = spent.get(payment.userId());
            long after = before + payment.amountMinor();
            if (after > user.openingBalanceMinor()) return false;
            if (spent.compareAndSet(payment.userId(), before, after)) return true;
        }
    }

    @Override
    public boolean begin(Distribution distribution) {
        Begun begun = distributions.computeIfAbsent(distribution.terms().id(), id ->
            new Begun(distribution.terms(), new AtomicIntegerArray((distribution.count() + 31) / 32)));
        return begun.terms.equals(distribution.terms());
    }

    @Override
    public void credit(Distribution distribution, int account, long given) {
        int index = distribution.index(account);
        int bit = 1 << index % 32;
        AtomicIntegerArray credited = distributions.get(distribution.terms().id()).credited;
        if ((credited.getAndUpdate(index / 32, word -> word | bit) & bit) == 0) {
            points.addAndGet(account, given);
            issued.add(given);
            credits.increment();
        }
    }

    @Override
    public boolean receive(String eventId, String body) {
        return webhooks.putIfAbsent(eventId, body) == null;
    }

    @Override
    public Audit audit() {
        return new Audit(sum(spent), sum(received), sum(fees), issued.sum(), sum(points),
            payments.size(), distributions.size(), credits.sum(), webhooks.size());
    }

    private static long sum(AtomicLongArray of) {
        long sum = 0;
        for (int i = 0; i < of.length(); i++) sum += of.get(i);
        return sum;
    }
}
