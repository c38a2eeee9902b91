// Signing a payment: the work that a scenario dials.

import { createHash, hash, timingSafeEqual } from "node:crypto";

const KEYS = 16;

/** The key of a merchant, stretched anew for each payment. */
export function stretch(seed: bigint, merchantId: number, rounds: number): Buffer {
  const seedBytes = Buffer.alloc(8);
  seedBytes.writeBigUInt64LE(seed);
  let digest = sha256("bakeoff-key", seedBytes, Buffer.of(merchantId % KEYS));
  for (let round = 0; round < rounds; round++) digest = hash("sha256", digest, "buffer");
  return digest;
}

/** Whether `signature`, in lower-case hexadecimal, is that of `text` under `key`. */
export function isSigned(key: Buffer, text: string, signature: string): boolean {
  const right = Buffer.from(sha256(key, text).toString("hex"));
  const given = Buffer.from(signature);
  return given.length === right.length && timingSafeEqual(given, right);
}

function sha256(...parts: (string | Buffer)[]): Buffer {
  const all = createHash("sha256");
  for (const part of parts) all.update(part);
  return all.digest();
}
