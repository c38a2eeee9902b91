import { type Answer, type App, Failure } from "../app.js";
import { isKey } from "../rules/payment.js";
import { fieldsOf, text } from "./fields.js";

/** `POST /webhooks`: keeps an event once, however often it is delivered. */
export async function webhook(app: App, body: unknown): Promise<Answer> {
  const fields = fieldsOf(body);
  const eventId = text(fields, "event_id");
  const content = text(fields, "body");
  if (!isKey(eventId)) {
    const rule = "1 to 64 visible ASCII characters without quote or backslash";
    throw new Failure(400, `event_id must be ${rule}`);
  }
  if (content.includes("\0")) {
    throw new Failure(400, "body must be text without NUL, which a database cannot keep");
  }
  const fresh = await app.store.receive(eventId, content);
  return { status: fresh ? 202 : 200, body: { event_id: eventId, status: "received" } };
}
