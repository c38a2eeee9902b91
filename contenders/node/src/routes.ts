// The routes, once for all three servers.

import type { Answer, App } from "./app.js";
import { gateway } from "./handlers/gateway.js";
import { account, distribute } from "./handlers/loyalty.js";
import { pay } from "./handlers/payments.js";
import { audit, health, nothing } from "./handlers/plain.js";
import { webhook } from "./handlers/webhooks.js";

export type Route =
  /** A path that ends with `/` stands for what begins with it and goes on with an id. */
  | { method: "GET"; path: string; handle: (app: App, id: string) => Promise<Answer> }
  | { method: "POST"; path: string; handle: (app: App, body: unknown) => Promise<Answer> };

export const ROUTES: Route[] = [
  { method: "GET", path: "/healthz", handle: health },
  { method: "GET", path: "/null", handle: nothing },
  { method: "GET", path: "/audit", handle: audit },
  { method: "POST", path: "/payments", handle: pay },
  { method: "POST", path: "/loyalty/distributions", handle: distribute },
  { method: "GET", path: "/loyalty/accounts/", handle: account },
  { method: "POST", path: "/webhooks", handle: webhook },
  { method: "GET", path: "/gateway/", handle: gateway },
];

/** What a route takes, as the header `allow` has it. */
export function allowed(route: Route): string {
  return route.method === "GET" ? "GET, HEAD" : "POST";
}

/** The answer to a method that a route does not take. */
export function otherMethod(route: Route): Answer {
  return { status: 405, body: { error: `this route takes ${allowed(route)}` } };
}

export const NO_ROUTE: Answer = { status: 404, body: { error: "there is no such route" } };
