/** The options of `NatsTransporter`: its own, and those of the NATS client, which it passes on. */
import type { ConnectionOptions } from "nats";
import { natsUrls, parseNatsUrls } from "../../config/nats-urls.ts";
import { boolean, duration, guarded, integer, type Kind, secret, text } from "../../util/kind.ts";
import { type GivenOf, optional, setting, type Setting } from "../../util/setting.ts";

export const OWN_SETTINGS = {
  url: optional(natsUrls, {
    description:
      "Comma-separated URLs, such as `nats://user:password@host:4222,nats://other:4222`. `%` in user and password is decoded; a user without a password is a token; `tls://` asks for TLS. An option of its own wins over the URL. Without it: `nats://127.0.0.1:4222`",
  }),
  credsFile: optional(text, {
    description: "Path of a `.creds` file (JWT and key). Read again at each connect, so it may be replaced while the node runs",
  }),
  contextInHeaders: setting(boolean, {
    default: true,
    description:
      "Whether the execution context leaves this node in message headers. Set it to `false` where Moleculer's `Encryption` middleware has to cover it: that encrypts payloads alone. Contexts that arrive in headers are always understood",
  }),
  writeBuffer: setting(boolean, {
    default: true,
    description:
      "Whether messages are written into the private buffer of the NATS client, where its version is known. `false`: all of them go through `publish` of the client, which takes more CPU",
  }),
  disconnectTimeout: setting(duration(0), { default: 2_000, description: "How long `disconnect` waits for NATS" }),
};

const servers: Kind<string | string[]> = {
  ...natsUrls,
  read: (given) => {
    const urls: unknown[] = Array.isArray(given) ? given : [given];
    const areUrls = urls.every((url) => typeof url === "string" && parseNatsUrls(url)?.length === 1);
    return areUrls ? (given as string | string[]) : undefined;
  },
};

const isFunction = (given: unknown): given is (...args: never) => unknown => typeof given === "function";
const authenticator = guarded(
  "an authenticator, or a list of them",
  (given): given is NonNullable<ConnectionOptions["authenticator"]> => [given].flat().every(isFunction),
);
const reconnectDelay = guarded("a function that answers milliseconds", (given): given is () => number => isFunction(given));
const tls = guarded(
  "an object of TLS options, or null",
  (given): given is Exclude<ConnectionOptions["tls"], undefined> => typeof given === "object",
);

const passed = <G, V>(kind: Kind<G, V>): Setting<G, V, "optional"> => optional(kind, { description: "As in nats.js" });

/**
 * As nats.js declares them: a new one that is missing here does not compile. nats.js omits
 * `pendingLimit` from its types.
 */
export const CLIENT_SETTINGS = {
  authenticator: passed(authenticator),
  debug: passed(boolean),
  ignoreAuthErrorAbort: setting(boolean, {
    default: true,
    description: "Wrong credentials do not close the client for good: they may be on their way to the server",
  }),
  ignoreClusterUpdates: passed(boolean),
  inboxPrefix: passed(text),
  maxPingOut: passed(integer(0)),
  maxReconnectAttempts: setting(integer(-1), { default: -1, description: "How often it dials again; `-1` without end" }),
  name: optional(text, { description: "Name of the connection at the server. Without it: the node's id" }),
  noAsyncTraces: setting(boolean, { default: true, description: "Without it each request of the client captures a stack" }),
  noEcho: passed(boolean),
  noRandomize: passed(boolean),
  pass: passed(secret),
  pedantic: passed(boolean),
  pendingLimit: setting(integer(0), {
    default: 256 * 1024,
    description:
      "Bytes that are sent without waiting for the end of the turn: a busy coordinator makes as many in one turn, and a write of the socket costs more than its bytes",
  }),
  pingInterval: setting(integer(1), {
    default: 10_000,
    description: "Milliseconds between two pings. A half-open link is noticed within three",
  }),
  port: passed(integer(0, 65_535)),
  reconnect: passed(boolean),
  reconnectDelayHandler: passed(reconnectDelay),
  reconnectJitter: passed(integer(0)),
  reconnectJitterTLS: passed(integer(0)),
  reconnectTimeWait: setting(integer(0), {
    default: 500,
    description: "Milliseconds before it dials again. Until then everything that is sent is lost",
  }),
  resolve: passed(boolean),
  servers: optional(servers, { description: "URLs as a list, in place of `url`" }),
  timeout: setting(integer(0), { default: 2_000, description: "Milliseconds in which a connection must be made" }),
  tls: passed(tls),
  token: passed(secret),
  user: passed(text),
  verbose: passed(boolean),
  waitOnFirstConnect: passed(boolean),
} satisfies Record<keyof ConnectionOptions | "pendingLimit", Setting>;

export const NATS_SETTINGS = { ...OWN_SETTINGS, ...CLIENT_SETTINGS };

/**
 * All options of the NATS client (`servers`, `user`, `pass`, `token`, `authenticator`, `tls`, …),
 * and those of the transporter.
 */
export interface NatsTransporterOptions extends ConnectionOptions, GivenOf<typeof OWN_SETTINGS> {}
