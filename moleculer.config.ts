/** The broker of a coordinator, from the environment. `npm start` uses it, and so can `moleculer-runner --config moleculer.config.ts`. */
import { hostname } from "node:os";
import type { BrokerOptions } from "moleculer";
import { NatsTransporter } from "./lib/adapters/nats/transporter.ts";

const { NATS_URL, NAMESPACE, NODE_ID, LOG_LEVEL } = process.env;

const config: BrokerOptions = {
  namespace: NAMESPACE ?? "",
  nodeID: NODE_ID ?? `taskflow-${hostname()}-${process.pid}`,
  ...(NATS_URL ? { transporter: new NatsTransporter({ url: NATS_URL }) } : {}),
  logger: { type: "Console", options: { level: LOG_LEVEL ?? "info", formatter: "short" } },
  // The engine times every attempt itself; this one is for calls that forgot theirs.
  requestTimeout: 60_000,
  // A repeated call is a repeated execution: the engine decides about those.
  retryPolicy: { enabled: false },
  heartbeatInterval: 5,
  heartbeatTimeout: 15,
  // The coordinator drains by itself. Moleculer's own wait comes first, takes every call to a worker for something to wait for, and meanwhile new ones start.
  tracking: { enabled: false },
  // `bin/start.ts` handles the signals: it drains first.
  skipProcessEventRegistration: true,
};

export default config;
