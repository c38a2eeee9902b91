// node dist/main.js http|express|fastify: the services of CONTRACT.md.

import cluster from "node:cluster";
import { once } from "node:events";
import { Agent } from "node:http";

import type { App } from "./app.js";
import { type Config, configFromEnv } from "./config.js";
import { Dataset } from "./rules/dataset.js";
import { listen, stop } from "./serve.js";
import type { Store } from "./store/store.js";

// What a server does not use is not loaded.
const VARIANTS = {
  http: { name: "node", load: async () => (await import("./servers/plain.js")).plain },
  express: { name: "express", load: async () => (await import("./servers/express.js")).createExpress },
  fastify: { name: "fastify", load: async () => (await import("./servers/fastify.js")).createFastify },
};

async function main(): Promise<void> {
  // A reader of stdout may go away.
  process.stdout.on("error", () => {});
  const variant = VARIANTS[process.argv[2] as keyof typeof VARIANTS];
  if (variant === undefined) throw new Error("usage: node dist/main.js http|express|fastify");
  const config = configFromEnv(process.env);
  if (config.workers > 1 && cluster.isPrimary) await supervise(config);
  else await work(variant, config);
}

/** Starts the workers, says where they listen, and ends with them. */
async function supervise({ workers: count, address: host }: Config): Promise<void> {
  let stopping = false;
  for (let index = 0; index < count; index++) cluster.fork();
  cluster.on("exit", (_worker, code) => {
    if (!stopping) fail(new Error(`a worker ended with ${code}`));
  });
  const signalled = stopSignal();
  const port = await new Promise<number>((resolve) => {
    let ready = 0;
    cluster.on("listening", (_worker, address) => {
      if (++ready === count) resolve(address.port);
    });
  });
  console.log(`listening ${host}:${port}`);
  await signalled;
  stopping = true;
  const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
  await Promise.all(
    workers.map(async (worker) => {
      worker.process.kill("SIGTERM");
      await once(worker, "exit");
    }),
  );
  process.exit(0);
}

async function work(variant: (typeof VARIANTS)["http" | "express" | "fastify"], config: Config) {
  const signalled = stopSignal();
  const data = new Dataset(config.seed);
  const connections = Math.floor(config.pool / config.workers);
  const app: App = {
    name: variant.name,
    data,
    seed: config.seed,
    signatureRounds: config.signatureRounds,
    store: await openStore(config, data, connections),
    upstream: config.upstreamUrl
      ? {
          url: config.upstreamUrl.replace(/\/$/, ""),
          agent: new Agent({ keepAlive: true, maxSockets: connections }),
        }
      : undefined,
  };
  const create = await variant.load();
  const listening = await listen(await create(app), config.address, config.port);
  if (cluster.isPrimary) console.log(`listening ${config.address}:${listening.port}`);
  await signalled;
  await stop(listening);
  app.upstream?.agent.destroy();
  await app.store.close();
  process.exit(0);
}

async function openStore(config: Config, data: Dataset, connections: number): Promise<Store> {
  if (config.databaseUrl === undefined) {
    const { Memory } = await import("./store/memory.js");
    return new Memory(data);
  }
  const { Postgres } = await import("./store/postgres.js");
  try {
    return await Postgres.open(config.databaseUrl, connections);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot use the database of BAKEOFF_DATABASE_URL: ${why}`);
  }
}

function stopSignal(): Promise<unknown> {
  return Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
}

function fail(error: unknown): never {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  process.exit(2);
}

main().catch(fail);
