// node:http alone.

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

import { type Answer, type App, BODY_BYTES_MAX, Failure, failed, parse, TOO_LARGE } from "../app.js";
import { allowed, NO_ROUTE, otherMethod, ROUTES } from "../routes.js";

const EXACT = new Map(ROUTES.filter(({ path }) => !path.endsWith("/")).map((r) => [r.path, r]));
const WITH_ID = ROUTES.filter(({ path }) => path.endsWith("/"));

export async function plain(app: App): Promise<RequestListener> {
  return (request, response) => {
    answer(app, request, response).then(
      (sent) => send(response, sent),
      (error: unknown) => send(response, failed(error)),
    );
  };
}

async function answer(
  app: App,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Answer> {
  const path = pathOf(request.url ?? "/");
  const route = EXACT.get(path) ?? WITH_ID.find((r) => isIdOf(r.path, path));
  if (route === undefined) return NO_ROUTE;
  if (route.method === "GET" && (request.method === "GET" || request.method === "HEAD")) {
    return route.handle(app, path.slice(route.path.length));
  }
  if (route.method === "POST" && request.method === "POST") {
    return route.handle(app, parse(await read(request)));
  }
  response.setHeader("allow", allowed(route));
  return otherMethod(route);
}

function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query < 0 ? url : url.slice(0, query);
}

function isIdOf(prefix: string, path: string): boolean {
  return path.startsWith(prefix) && !path.includes("/", prefix.length);
}

function read(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers["content-length"] ?? 0) > BODY_BYTES_MAX) {
      reject(new Failure(413, TOO_LARGE));
      return;
    }
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > BODY_BYTES_MAX) {
        request.pause();
        reject(new Failure(413, TOO_LARGE));
      } else {
        chunks.push(chunk);
      }
    });
    request.on("end", () => resolve(Buffer.concat(chunks, length)));
    request.on("error", () => reject(new Failure(400, "the body did not arrive whole")));
  });
}

function send(response: ServerResponse, { status, body }: Answer): void {
  const text = JSON.stringify(body);
  response.statusCode = status;
  response.setHeader("content-type", "application/json");
  response.setHeader("content-length", Buffer.byteLength(text));
  // Not a byte more of a body that is too large is read.
  if (status === 413) response.setHeader("connection", "close");
  response.end(text);
}
