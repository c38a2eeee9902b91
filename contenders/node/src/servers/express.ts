// The same handlers behind Express.

import { isUtf8 } from "node:buffer";
import express, { type ErrorRequestHandler, type Response } from "express";
import type { RequestListener } from "node:http";

import {
  type Answer,
  type App,
  BODY_BYTES_MAX,
  Failure,
  failed,
  NOT_UTF8,
  TOO_LARGE,
} from "../app.js";
import { allowed, NO_ROUTE, otherMethod, ROUTES } from "../routes.js";

export async function createExpress(app: App): Promise<RequestListener> {
  const server = express();
  server.disable("x-powered-by");
  // Nothing here is asked for twice with the same answer, so no answer needs a hash.
  server.disable("etag");
  server.enable("case sensitive routing");
  server.enable("strict routing");
  // Clients of the contract need not say that they send JSON.
  const json = express.json({ limit: BODY_BYTES_MAX, type: () => true, verify: expectUtf8 });

  for (const route of ROUTES) {
    const path = route.path.endsWith("/") ? `${route.path}:id` : route.path;
    if (route.method === "GET") {
      server.get(path, async (request, response) => {
        send(response, await route.handle(app, String(request.params.id ?? "")));
      });
    } else {
      server.post(path, json, async (request, response) => {
        send(response, await route.handle(app, request.body));
      });
    }
    server.all(path, (_request, response) => {
      response.set("allow", allowed(route));
      send(response, otherMethod(route));
    });
  }
  server.use((_request, response) => send(response, NO_ROUTE));
  server.use(onError);
  return server;
}

/** Its parser would put U+FFFD for what is no UTF-8, and reads UTF-16 where a request names that. */
function expectUtf8(_request: unknown, _response: unknown, body: Buffer, charset: string): void {
  if (charset !== "utf-8" || !isUtf8(body)) throw new Error(NOT_UTF8);
}

const onError: ErrorRequestHandler = (error, _request, response, next) => {
  if (response.headersSent) return next(error);
  if (error.type === "entity.too.large") {
    send(response, { status: 413, body: { error: TOO_LARGE } });
  } else if (!(error instanceof Failure) && error.status < 500) {
    // What the parser of bodies or paths could not read.
    send(response, { status: 400, body: { error: error.message } });
  } else {
    send(response, failed(error));
  }
};

function send(response: Response, { status, body }: Answer): void {
  response.status(status).json(body);
}
