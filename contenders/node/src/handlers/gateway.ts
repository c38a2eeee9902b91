import { type Agent, get } from "node:http";

import { type Answer, type App, Failure } from "../app.js";
import { fieldsOf, idOf, whole } from "./fields.js";

/** For a whole answer of the upstream. */
const UPSTREAM_MAX_MS = 10_000;
const UPSTREAM_BYTES_MAX = 64 * 1024;

/** `GET /gateway/{id}`: asks the upstream for two values at once and joins them. */
export async function gateway(app: App, digits: string): Promise<Answer> {
  // The next one is asked for as well.
  const id = idOf(digits, Number.MAX_SAFE_INTEGER - 1, "id");
  if (app.upstream === undefined) {
    throw new Failure(404, "there is no upstream: BAKEOFF_UPSTREAM_URL is not set");
  }
  const { url, agent } = app.upstream;
  const values = await Promise.all([value(url, agent, id), value(url, agent, id + 1)]).catch(
    (error: Error) => {
      throw new Failure(502, `the upstream did not answer: ${error.message}`);
    },
  );
  return { status: 200, body: { id, values } };
}

async function value(url: string, agent: Agent, id: number): Promise<number> {
  const body = await fetchText(`${url}/upstream/${id}`, agent);
  return whole(fieldsOf(JSON.parse(body)), "value");
}

function fetchText(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, signal: AbortSignal.timeout(UPSTREAM_MAX_MS) }, (answer) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        body += chunk;
        if (body.length > UPSTREAM_BYTES_MAX) request.destroy(new Error("its answer is too large"));
      });
      answer.on("error", reject);
      answer.on("end", () => {
        if (answer.statusCode === 200) resolve(body);
        else reject(new Error(`it answered ${answer.statusCode}`));
      });
    });
    request.on("error", reject);
  });
}
