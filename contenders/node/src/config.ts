// What the environment says.

export interface Config {
  /** An IP address of this machine. */
  address: string;
  port: number;
  seed: bigint;
  signatureRounds: number;
  /** Processes on one port. */
  workers: number;
  /** Undefined keeps everything in memory. */
  databaseUrl: string | undefined;
  /** Connections to the database, and to the upstream, of all workers together. */
  pool: number;
  upstreamUrl: string | undefined;
}

export function configFromEnv(env: NodeJS.ProcessEnv): Config {
  const config: Config = {
    address: env.BAKEOFF_ADDRESS || "127.0.0.1",
    port: number(env, "BAKEOFF_PORT", 0, 0, 65_535),
    seed: seed(env.BAKEOFF_SEED || "42"),
    signatureRounds: number(env, "BAKEOFF_SIGNATURE_ROUNDS", 0, 0, 2 ** 32 - 1),
    workers: number(env, "BAKEOFF_WORKERS", 1, 1, 1_024),
    databaseUrl: env.BAKEOFF_DATABASE_URL || undefined,
    pool: number(env, "BAKEOFF_POOL", 32, 1, 10_000),
    upstreamUrl: env.BAKEOFF_UPSTREAM_URL || undefined,
  };
  if (config.workers > 1 && config.databaseUrl === undefined) {
    throw new Error(
      "several workers share no memory, so their books would not balance: " +
        "set BAKEOFF_DATABASE_URL, or BAKEOFF_WORKERS=1",
    );
  }
  if (config.pool < config.workers) {
    throw new Error("BAKEOFF_POOL must be at least BAKEOFF_WORKERS: each worker needs a connection");
  }
  return config;
}

function number(
  env: NodeJS.ProcessEnv,
  name: string,
  unset: number,
  least: number,
  most: number,
): number {
  const text = env[name];
  if (!text) return unset;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new Error(`${name} must be a whole number from ${least} to ${most}, not "${text}"`);
  }
  return value;
}

function seed(text: string): bigint {
  if (!/^\d{1,20}$/.test(text) || BigInt(text) >= 2n ** 64n) {
    throw new Error(`BAKEOFF_SEED must be a whole number below 2^64, not "${text}"`);
  }
  return BigInt(text);
}
