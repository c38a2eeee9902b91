package bakeoff;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.concurrent.Semaphore;

/** The service behind the gateway. */
final class Upstream {
    private final String url;
    private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final Semaphore free;

    Upstream(String url, int connections) {
        this.url = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
        this.free = new Semaphore(connections, true);
    }

    long value(long id) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/upstream/" + id)).timeout(Duration.ofSeconds(10)).build();
        free.acquire();
        try {
            HttpResponse<byte[]> response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
            if (response.statusCode() != 200) throw new IOException("the upstream answered " + response.statusCode());
            JsonNode body = Json.read(response.body(), response.body().length);
            return Json.whole(body, "value");
        } catch (Failure e) {
            throw new IOException("the upstream answered without a value");
        } finally {
            free.release();
        }
    }
}
