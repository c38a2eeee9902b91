// The same handlers behind Fastify.

import Fastify, { type FastifyError, type FastifyReply, type FastifyRequest } from "fastify";
import type { RequestListener } from "node:http";

import { type Answer, type App, BODY_BYTES_MAX, Failure, failed, parse, TOO_LARGE } from "../app.js";
import { allowed, NO_ROUTE, otherMethod, ROUTES } from "../routes.js";

export async function createFastify(app: App): Promise<RequestListener> {
  const server = Fastify({ bodyLimit: BODY_BYTES_MAX, exposeHeadRoutes: true });
  // Clients of the contract need not say that they send JSON.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "buffer" }, async (_request: unknown, body: Buffer) =>
    parse(body),
  );

  for (const route of ROUTES) {
    const url = route.path.endsWith("/") ? `${route.path}:id` : route.path;
    if (route.method === "GET") {
      server.get(url, async (request: FastifyRequest<{ Params: { id?: string } }>, reply) =>
        send(reply, await route.handle(app, request.params.id ?? "")),
      );
    } else {
      server.post(url, async (request, reply) => send(reply, await route.handle(app, request.body)));
    }
    const others = server.supportedMethods.filter((method) => !allowed(route).includes(method));
    server.route({
      method: others,
      url,
      handler: async (_request, reply) =>
        send(reply.header("allow", allowed(route)), otherMethod(route)),
    });
  }
  server.setNotFoundHandler((_request, reply) => send(reply, NO_ROUTE));
  server.setErrorHandler(onError);
  await server.ready();
  return server.routing;
}

function onError(error: FastifyError | Failure, _request: FastifyRequest, reply: FastifyReply) {
  if (!(error instanceof Failure) && error.statusCode === 413) {
    return send(reply, { status: 413, body: { error: TOO_LARGE } });
  }
  // The body was read to its end, so the connection is in step and stays.
  reply.removeHeader("connection");
  if (!(error instanceof Failure) && error.statusCode !== undefined && error.statusCode < 500) {
    return send(reply, { status: 400, body: { error: error.message } });
  }
  return send(reply, failed(error));
}

function send(reply: FastifyReply, { status, body }: Answer): FastifyReply {
  return reply.code(status).send(body);
}
