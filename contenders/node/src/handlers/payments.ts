import { type Answer, type App, Failure } from "../app.js";
import {
  canonical,
  clampId,
  type Decline,
  decide,
  feeMinor,
  type Payment,
  paymentDefect,
} from "../rules/payment.js";
import { isSigned, stretch } from "../rules/signature.js";
import { fieldsOf, text, whole } from "./fields.js";

/** `POST /payments`: looks up at once, verifies, decides, captures. */
export async function pay(app: App, body: unknown): Promise<Answer> {
  const { payment, signature } = read(body);

  const [user, merchant, limits] = await Promise.all([
    app.store.user(payment.userId),
    app.store.merchant(payment.merchantId),
    app.store.limits(payment.userId),
  ]);
  if (!user || !merchant || !limits) throw new Failure(404, "there is no such user or merchant");

  const key = stretch(app.seed, payment.merchantId, app.signatureRounds);
  const signed = isSigned(key, canonical(payment), signature);
  const reason = decide(payment, user, merchant, limits, signed);
  if (reason !== undefined) return declined(reason);

  const fee = feeMinor(payment.amountMinor, merchant);
  const capture = await app.store.capture(payment, user, fee);
  switch (capture.outcome) {
    case "captured":
      return { status: 201, body: captured(payment, capture.feeMinor) };
    case "replayed":
      return { status: 200, body: captured(payment, capture.feeMinor) };
    case "insufficient_funds":
      return declined("insufficient_funds");
    case "conflict":
      throw new Failure(409, "the key belongs to another payment");
  }
}

function captured({ key, amountMinor }: Payment, fee: number): object {
  return {
    payment_id: `pay-${key}`,
    status: "captured",
    amount_minor: amountMinor,
    fee_minor: fee,
  };
}

function declined(reason: Decline): Answer {
  return { status: 402, body: { status: "declined", reason } };
}

function read(body: unknown): { payment: Payment; signature: string } {
  const fields = fieldsOf(body);
  const payment = {
    key: text(fields, "idempotency_key"),
    userId: clampId(whole(fields, "user_id")),
    merchantId: clampId(whole(fields, "merchant_id")),
    amountMinor: whole(fields, "amount_minor"),
    currency: text(fields, "currency"),
  };
  const signature = text(fields, "signature");
  const defect = paymentDefect(payment);
  if (defect !== undefined) throw new Failure(422, defect);
  return { payment, signature };
}
