/** What `npm start` and `moleculer.config.ts` take of the environment for the broker itself. */
import { oneOf, text } from "../util/kind.ts";
import { optional, setting } from "../util/setting.ts";
import { natsUrls } from "./nats-urls.ts";

export const BROKER_SETTINGS = {
  natsUrl: optional(natsUrls, {
    variable: "NATS_URL",
    description: "`nats://host:4222[,…]`, with user and password, a token, or `tls://`. Without it: a single process",
  }),
  namespace: optional(text, { variable: "NAMESPACE", description: "Moleculer's namespace" }),
  nodeID: optional(text, {
    variable: "NODE_ID",
    description: "Moleculer's node id. Without it: one of the machine's name and the process",
  }),
  logLevel: setting(oneOf("fatal", "error", "warn", "info", "debug", "trace"), {
    default: "info",
    variable: "LOG_LEVEL",
    description: "Moleculer's log level",
  }),
};
