package bakeoff;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Bodies. */
final class Json {
    private static final ObjectMapper MAPPER =
        new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private Json() {}

    static ObjectNode object() {
        return MAPPER.createObjectNode();
    }

    static byte[] write(JsonNode body) throws JsonProcessingException {
        return MAPPER.writeValueAsBytes(body);
    }

    /** A JSON object in UTF-8. Jackson itself would guess other encodings and read over a byte order mark. */
    static JsonNode read(byte[] body, int length) {
        try {
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body, 0, length)).toString();
            JsonNode node = text.startsWith("\uFEFF") ? null : MAPPER.readTree(text);
            if (node == null || !node.isObject()) throw Failure.malformed("a body is a JSON object");
            return node;
        } catch (CharacterCodingException e) {
            throw Failure.malformed("a body is JSON in UTF-8");
        } catch (JsonProcessingException e) {
            throw Failure.malformed(e.getOriginalMessage());
        }
    }

    static String text(JsonNode body, String name) {
        JsonNode value = body.get(name);
        if (value == null || !value.isTextual()) throw Failure.malformed(name + " must be a string");
        return value.textValue();
    }

    /** A number judged by its value, so that 5.0 is 5. One too large is the largest, which is out of every range. */
    static long whole(JsonNode body, String name) {
        JsonNode value = body.get(name);
        if (value == null || !value.isNumber()) throw Failure.malformed(name + " must be a number");
        if (value.isIntegralNumber() && value.canConvertToLong() && value.longValue() >= 0) return value.longValue();
        double number = value.doubleValue();
        if (!(number >= 0) || number != Math.rint(number)) throw Failure.malformed(name + " must be whole and from 0");
        return (long) number;
    }
}
