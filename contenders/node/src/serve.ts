// One server of one process: limits, listening, and the end.

import {
  createServer,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";

import { BODY_BYTES_MAX, TOO_LARGE } from "./app.js";

const HEAD_MAX_MS = 10_000;
const BODY_MAX_MS = 10_000;
const IDLE_MAX_MS = 75_000;
const STOP_MAX_MS = 5_000;
const HEAD_BYTES_MAX = 16 * 1024;
const BACKLOG = 4_096;

/** Open connections, and the answer that each is waiting for or got last. */
type Connections = Map<Socket, ServerResponse | undefined>;

export interface Listening {
  server: Server;
  port: number;
  connections: Connections;
}

export async function listen(
  listener: RequestListener,
  host: string,
  port: number,
): Promise<Listening> {
  const connections: Connections = new Map();
  const server = createServer({
    headersTimeout: HEAD_MAX_MS,
    requestTimeout: HEAD_MAX_MS + BODY_MAX_MS,
    keepAliveTimeout: IDLE_MAX_MS,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: HEAD_BYTES_MAX,
    noDelay: true,
  });
  server.on("connection", (socket) => {
    connections.set(socket, undefined);
    socket.once("close", () => connections.delete(socket));
  });
  server.on("request", (request, response) => connections.set(request.socket, response));
  server.on("request", listener);
  server.on("checkContinue", (request, response) => {
    if (Number(request.headers["content-length"] ?? 0) > BODY_BYTES_MAX) {
      const body = JSON.stringify({ error: TOO_LARGE });
      response.writeHead(413, {
        "content-type": "application/json",
        "content-length": body.length,
        connection: "close",
      });
      response.end(body);
    } else {
      response.writeContinue();
      server.emit("request", request, response);
    }
  });
  server.on("clientError", (error, socket) => refuse(connections, error, socket as Socket));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, backlog: BACKLOG }, resolve);
  });
  return { server, port: (server.address() as AddressInfo).port, connections };
}

/** Answers what is no HTTP, or comes too slowly, and closes. */
function refuse(connections: Connections, error: NodeJS.ErrnoException, socket: Socket): void {
  const last = connections.get(socket);
  if (last?.req.complete && !last.writableFinished) {
    // What came before is answered before.
    last.once("close", () => refuse(connections, error, socket));
    return;
  }
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = statusOf(error);
  const body = JSON.stringify({ error: "this is no request of HTTP/1.1, or came too slowly" });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function statusOf({ code }: NodeJS.ErrnoException): number {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return 431;
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return 408;
    default:
      return 400;
  }
}

/** Finishes the requests in hand, for 5 s at most. */
export async function stop({ server, connections }: Listening): Promise<void> {
  server.prependListener("request", (_request, response) => {
    response.setHeader("connection", "close");
  });
  for (const socket of connections.keys()) {
    if (socket.bytesRead === 0) socket.destroy();
  }
  // A connection whose request is answered now is idle then, and closed.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  const cut = setTimeout(() => server.closeAllConnections(), STOP_MAX_MS);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearInterval(sweep);
  clearTimeout(cut);
}
