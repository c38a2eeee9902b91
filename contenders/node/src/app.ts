// What every request of a server shares, and what is sent back.

import { isUtf8 } from "node:buffer";
import type { Agent } from "node:http";

import type { Dataset } from "./rules/dataset.js";
import type { Store } from "./store/store.js";

export interface App {
  name: string;
  data: Dataset;
  seed: bigint;
  signatureRounds: number;
  store: Store;
  upstream: { url: string; agent: Agent } | undefined;
}

/** A status and what goes into the body as JSON. */
export interface Answer {
  status: number;
  body: object;
}

/** An answer that ends a request early. */
export class Failure extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  get answer(): Answer {
    return { status: this.status, body: { error: this.message } };
  }
}

/** The answer to whatever went wrong. */
export function failed(error: unknown): Answer {
  if (error instanceof Failure) return error.answer;
  console.error(error instanceof Error ? (error.stack ?? error.message) : error);
  return { status: 503, body: { error: "the store does not answer" } };
}

/** The largest body of a request, in bytes (413 beyond it). */
export const BODY_BYTES_MAX = 64 * 1024;

export const TOO_LARGE = `a body has at most ${BODY_BYTES_MAX} bytes`;

export const NOT_UTF8 = "a body is JSON in UTF-8";

/** Reads a body as JSON. Its bytes are checked first: a decoder would put U+FFFD for what is no UTF-8. */
export function parse(body: Buffer): unknown {
  if (!isUtf8(body)) throw new Failure(400, NOT_UTF8);
  try {
    return JSON.parse(body.toString());
  } catch (error) {
    throw new Failure(400, (error as Error).message);
  }
}
