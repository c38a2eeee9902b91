// Reads the fields of a body that came as JSON: what is missing or of another type is a 400.

import { Failure } from "../app.js";

export type Fields = Record<string, unknown>;

/** The fields of a body, which must be an object. */
export function fieldsOf(body: unknown): Fields {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new Failure(400, "a body is a JSON object");
  }
  return body as Fields;
}

/** A whole number from 0, which may be too large to be exact: then it is out of every range. */
export function whole(fields: Fields, name: string): number {
  const value = fields[name];
  if (!Number.isInteger(value) || (value as number) < 0) {
    throw new Failure(400, `${name} must be a whole number`);
  }
  return value as number;
}

export function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new Failure(400, `${name} must be a string`);
  return value;
}

/** A number in a path, in plain digits; anything else names nothing. */
export function idOf(digits: string, most: number, what: string): number {
  const id = /^\d+$/.test(digits) ? Number(digits) : NaN;
  if (!(id <= most)) throw new Failure(404, `there is no such ${what}`);
  return id;
}
