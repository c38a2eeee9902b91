package bakeoff;

/** An answer that ends a request early. It has no stack: it is no surprise. */
final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1;

    final int status;

    Failure(int status, String message) {
        super(message, null, false, false);
        this.status = status;
    }

    static Failure malformed(String message) {
        return new Failure(400, message);
    }

    static Failure notFound(String message) {
        return new Failure(404, message);
    }

    static Failure unprocessable(String message) {
        return new Failure(422, message);
    }
}
