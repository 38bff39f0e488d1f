/**
 * The broker of a coordinator, from the environment. `npm start` uses it, and so can
 * `moleculer-runner --config moleculer.config.ts`.
 */
import { hostname } from "node:os";
import type { BrokerOptions } from "moleculer";
import { BROKER_SETTINGS } from "./lib/config/broker-settings.ts";
import { readEnvironment } from "./lib/config/environment.ts";
import { valuesOf } from "./lib/util/setting.ts";
import { NatsTransporter } from "./lib/adapters/nats/transporter.ts";

const { natsUrl, namespace, nodeID, logLevel } = valuesOf(BROKER_SETTINGS, readEnvironment(BROKER_SETTINGS));

const config: BrokerOptions = {
  namespace: namespace ?? "",
  nodeID: nodeID ?? `taskflow-${hostname()}-${process.pid}`,
  ...(natsUrl === undefined ? {} : { transporter: new NatsTransporter({ url: natsUrl }) }),
  logger: { type: "Console", options: { level: logLevel, formatter: "short" } },
  // The engine times every attempt itself; this one is for calls that forgot theirs.
  requestTimeout: 60_000,
  // A repeated call is a repeated execution: the engine decides about those.
  retryPolicy: { enabled: false },
  heartbeatInterval: 5,
  heartbeatTimeout: 15,
  // The coordinator drains by itself. Moleculer's own wait comes first, takes every call to a
  // worker for something to wait for, and meanwhile new ones start.
  tracking: { enabled: false },
  // `bin/start.ts` handles the signals: it drains first.
  skipProcessEventRegistration: true,
};

export default config;
