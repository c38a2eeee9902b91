package bakeoff;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/** All routes. A handler blocks its thread, be it a virtual one or one of a pool. */
final class Service extends HttpServlet {
    private static final long serialVersionUID = 1;
    private static final int BODY_BYTES_MAX = 64 << 10;
    /** Tasks of one distribution at a time; larger ones take turns. */
    private static final int FAN_OUT_MAX = 10_000;

    private record Answer(int status, ObjectNode body) {}

    private interface Handler {
        Answer answer(HttpServletRequest request, String id) throws Exception;
    }

    private record Route(String method, Handler handler) {}

    private final String name;
    private final String runtime;
    private final transient Config config;
    private final transient Dataset data;
    private final transient Store store;
    /** Runs what a request does at the same time. */
    private final transient ExecutorService tasks;
    private final transient Upstream upstream;
    /** Requests in progress. */
    final AtomicInteger active = new AtomicInteger();
    volatile boolean stopping;

    private final transient Map<String, Route> routes = Map.of(
        "/healthz", new Route("GET", (request, id) -> health()),
        "/null", new Route("GET", (request, id) -> new Answer(200, Json.object().put("ok", true))),
        "/audit", new Route("GET", (request, id) -> audit()),
        "/payments", new Route("POST", (request, id) -> pay(request)),
        "/loyalty/distributions", new Route("POST", (request, id) -> distribute(request)),
        "/loyalty/accounts/", new Route("GET", (request, id) -> account(id)),
        "/webhooks", new Route("POST", (request, id) -> webhook(request)),
        "/gateway/", new Route("GET", (request, id) -> gateway(id)));

    Service(String name, String runtime, Config config, Dataset data, Store store, ExecutorService tasks) {
        this.name = name;
        this.runtime = runtime;
        this.config = config;
        this.data = data;
        this.store = store;
        this.tasks = tasks;
        this.upstream = config.upstreamUrl() == null ? null : new Upstream(config.upstreamUrl(), config.pool());
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        active.incrementAndGet();
        try {
            send(response, answer(request, response));
        } finally {
            active.decrementAndGet();
        }
    }

    private Answer answer(HttpServletRequest request, HttpServletResponse response) {
        try {
            String path = request.getRequestURI();
            Route route = path.endsWith("/") ? null : routes.get(path);
            String id = null;
            if (route == null) {
                int slash = path.lastIndexOf('/') + 1;
                id = path.substring(slash);
                route = id.isEmpty() ? null : routes.get(path.substring(0, slash));
            }
            if (route == null) throw Failure.notFound("there is no such route");
            String method = request.getMethod();
            if (!method.equals(route.method) && !(method.equals("HEAD") && route.method.equals("GET"))) {
                response.setHeader("Allow", route.method.equals("GET") ? "GET, HEAD" : route.method);
                throw new Failure(405, "this route takes other methods");
            }
            return route.handler.answer(request, id);
        } catch (Failure failure) {
            return new Answer(failure.status, Json.object().put("error", failure.getMessage()));
        } catch (Exception e) {
            System.err.println(request.getMethod() + " " + request.getRequestURI() + ": " + e);
            return new Answer(503, Json.object().put("error", "the store does not answer"));
        }
    }

    private void send(HttpServletResponse response, Answer answer) throws IOException {
        byte[] body = Json.write(answer.body);
        response.setStatus(answer.status);
        response.setContentType("application/json");
        response.setContentLength(body.length);
        // Not a byte more of a body that is too large is read.
        if (stopping || answer.status == 413) response.setHeader("Connection", "close");
        response.getOutputStream().write(body);
        response.flushBuffer();
    }

    private static JsonNode body(HttpServletRequest request) {
        if (request.getContentLengthLong() > BODY_BYTES_MAX) throw tooLarge();
        byte[] body = new byte[Math.max(0, request.getContentLength()) + 256];
        int length = 0;
        try {
            // Not readNBytes: its last read is of no byte, and Tomcat waits for more even then.
            for (int read; (read = request.getInputStream().read(body, length, body.length - length)) > 0; ) {
                length += read;
                if (length > BODY_BYTES_MAX) throw tooLarge();
                if (length == body.length) body = Arrays.copyOf(body, 2 * length);
            }
        } catch (IOException e) {
            throw Failure.malformed("the body did not arrive whole");
        }
        return Json.read(body, length);
    }

    private static Failure tooLarge() {
        return new Failure(413, "a body has at most 65536 bytes");
    }

    private Answer health() {
        return new Answer(200, Json.object().put("ready", true).put("contender", name).put("runtime", runtime));
    }

    private Answer audit() throws Exception {
        Store.Audit audit = store.audit();
        ObjectNode body = Json.object().put("money_in_minor", audit.moneyIn()).put("money_out_minor", audit.moneyOut())
            .put("fees_minor", audit.fees()).put("points_issued", audit.issued()).put("points_held", audit.held());
        body.putObject("applied").put("payments", audit.payments()).put("distributions", audit.distributions())
            .put("credits", audit.credits()).put("webhooks", audit.webhooks());
        return new Answer(200, body);
    }

    /** Looks up at once, verifies, decides, captures. */
    private Answer pay(HttpServletRequest request) throws Exception {
        JsonNode body = body(request);
        String key = Json.text(body, "idempotency_key");
        long userId = Json.whole(body, "user_id");
        long merchantId = Json.whole(body, "merchant_id");
        long amount = Json.whole(body, "amount_minor");
        String currency = Json.text(body, "currency");
        String signature = Json.text(body, "signature");
        Payment payment = Payment.of(key, userId, merchantId, amount, currency);

        Future<Dataset.User> userRow = tasks.submit(() -> store.user(payment.userId()));
        Future<Dataset.Merchant> merchantRow = tasks.submit(() -> store.merchant(payment.merchantId()));
        Future<Dataset.Limits> limitsRow = tasks.submit(() -> store.limits(payment.userId()));
        Dataset.User user = get(userRow);
        Dataset.Merchant merchant = get(merchantRow);
        Dataset.Limits limits = get(limitsRow);
        if (user == null || merchant == null || limits == null) {
            throw Failure.notFound("there is no such user or merchant");
        }

        boolean signed = payment.isSigned(signature, config.seed(), config.signatureRounds());
        String reason = payment.decline(user, merchant, limits, signed);
        if (reason != null) return declined(reason);
        Store.Capture capture = store.capture(payment, user, merchant.fee(amount));
        ObjectNode captured = Json.object().put("payment_id", "pay-" + key).put("status", "captured")
            .put("amount_minor", amount).put("fee_minor", capture.feeMinor());
        return switch (capture.outcome()) {
            case captured -> new Answer(201, captured);
            case replayed -> new Answer(200, captured);
            case insufficient_funds -> declined("insufficient_funds");
            case conflict -> throw new Failure(409, "the key belongs to another payment");
        };
    }

    private static Answer declined(String reason) {
        return new Answer(402, Json.object().put("status", "declined").put("reason", reason));
    }

    /** Credits every member once, and finishes a distribution that was left half-way. */
    private Answer distribute(HttpServletRequest request) throws Exception {
        JsonNode body = body(request);
        Distribution distribution = Distribution.of(data, new Distribution.Terms(
            Json.whole(body, "distribution_id"), Json.whole(body, "business_id"), Json.whole(body, "first_account"),
            Json.whole(body, "accounts"), Json.whole(body, "spend_minor")));
        if (!store.begin(distribution)) throw new Failure(409, "the id belongs to another distribution");
        long points = 0;
        for (int first = 0; first < distribution.count(); first += FAN_OUT_MAX) {
            List<Callable<Long>> credits = new ArrayList<>();
            for (int i = first; i < Math.min(first + FAN_OUT_MAX, distribution.count()); i++) {
                int account = distribution.account(i);
                credits.add(() -> credit(distribution, account));
            }
            for (Future<Long> credited : tasks.invokeAll(credits)) points += get(credited);
        }
        return new Answer(200, Json.object().put("credited", distribution.count()).put("points", points));
    }

    private long credit(Distribution distribution, int account) throws Exception {
        long points = distribution.points(store.account(account).account());
        store.credit(distribution, account, points);
        return points;
    }

    private Answer account(String id) throws Exception {
        long number = digits(id, Dataset.UNKNOWN);
        Store.Held held = number < 0 ? null : store.account((int) number);
        if (held == null) throw Failure.notFound("there is no such account");
        String tier = held.account().tier().name();
        return new Answer(200, Json.object().put("account_id", number).put("tier", tier).put("points", held.points()));
    }

    /** Keeps an event once, however often it is delivered. */
    private Answer webhook(HttpServletRequest request) throws Exception {
        JsonNode body = body(request);
        String eventId = Json.text(body, "event_id");
        String text = Json.text(body, "body");
        if (!Payment.isKey(eventId)) {
            throw Failure.malformed("event_id must be 1 to 64 visible ASCII characters without quote or backslash");
        }
        if (text.indexOf('\0') >= 0) throw Failure.malformed("body must be text without NUL, which a database cannot keep");
        boolean fresh = store.receive(eventId, text);
        return new Answer(fresh ? 202 : 200, Json.object().put("event_id", eventId).put("status", "received"));
    }

    /** Asks the upstream for two values at once and joins them. */
    private Answer gateway(String id) throws Exception {
        // The next one is asked for as well.
        long number = digits(id, (1L << 53) - 1);
        if (number < 0) throw Failure.notFound("there is no such id");
        if (upstream == null) throw Failure.notFound("there is no upstream: BAKEOFF_UPSTREAM_URL is not set");
        Future<Long> second = tasks.submit(() -> upstream.value(number + 1));
        Future<Long> first = tasks.submit(() -> upstream.value(number));
        try {
            ObjectNode body = Json.object().put("id", number);
            body.putArray("values").add(get(first)).add(get(second));
            return new Answer(200, body);
        } catch (IOException e) {
            throw new Failure(502, String.valueOf(e.getMessage()));
        }
    }

    /** The number of an id in a path below a bound, or -1. */
    private static long digits(String id, long below) {
        if (id.length() > 18 || !id.chars().allMatch(c -> c >= '0' && c <= '9')) return -1;
        long number = Long.parseLong(id);
        return number < below ? number : -1;
    }

    private static <T> T get(Future<T> future) throws Exception {
        try {
            return future.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }
}
