import type { Answer, App } from "../app.js";

const RUNTIME = `Node.js ${process.versions.node}`;

/** `GET /healthz` */
export async function health(app: App): Promise<Answer> {
  return { status: 200, body: { ready: true, contender: app.name, runtime: RUNTIME } };
}

/** `GET /null`: what HTTP alone costs. */
export async function nothing(): Promise<Answer> {
  return { status: 200, body: { ok: true } };
}

/** `GET /audit`: the books. */
export async function audit(app: App): Promise<Answer> {
  return { status: 200, body: await app.store.audit() };
}
