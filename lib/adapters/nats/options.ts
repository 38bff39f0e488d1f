/** The options of the NATS transporter, compiled once into what the NATS client takes. */
import { readFileSync } from "node:fs";
import type { Authenticator, ConnectionOptions } from "nats";
import { loadPeer } from "../system/peer-package.ts";

/** Everything that the NATS client takes (`servers`, `user`, `pass`, `token`, `authenticator`, `tls`, `name`, …), and: */
export interface NatsTransporterOptions extends ConnectionOptions {
  /**
   * Comma-separated URLs, such as `nats://user:password@host:4222,nats://other:4222`. `%` in user and password is decoded; a user
   * without a password is a token; `tls://` asks for TLS. What is given as an option of its own wins over the URL.
   * Default: `nats://127.0.0.1:4222`.
   */
  url?: string;
  /** Path of a `.creds` file (JWT and key). Read again at each connect, so that it may be replaced while the node runs. */
  credsFile?: string;
  /**
   * Whether the execution context leaves this node in message headers. Default: true. Set it to false where Moleculer's
   * `Encryption` middleware has to cover it: that encrypts payloads, not headers. Contexts that arrive in headers are always understood.
   */
  contextInHeaders?: boolean;
  /** How long `disconnect` waits for NATS, in milliseconds, before it lets go. Default: 2000. */
  disconnectTimeout?: number;
}

export interface ResolvedNatsOptions {
  /** With credentials: never to be logged. */
  readonly connection: ConnectionOptions;
  /** `host:port` of each server, without credentials, for messages. */
  readonly servers: readonly string[];
  readonly contextInHeaders: boolean;
  readonly disconnectTimeoutMs: number;
}

const DEFAULTS = {
  maxReconnectAttempts: -1,
  // 2 s in nats.js. Until the client has dialled again everything that is sent is lost, so it dials more often.
  reconnectTimeWait: 500,
  // Wrong credentials would otherwise close the client for good, without an event. They may be on their way to the server.
  ignoreAuthErrorAbort: true,
  // 20 s in nats.js: too long to sit in front of a start that does not move.
  timeout: 2_000,
  // 2 minutes in nats.js: a half-open link would stay unnoticed for up to 6. This way it is noticed within 30 s.
  pingInterval: 10_000,
  // Otherwise each request of the client captures a stack.
  noAsyncTraces: true,
  // 32 KiB in nats.js, which its types hide: bytes that are sent without waiting for the end of the turn. A busy coordinator makes as many
  // in one turn, and a write of the socket costs more than its bytes.
  pendingLimit: 256 * 1024,
} satisfies ConnectionOptions & { pendingLimit: number };

const SCHEMES = ["nats:", "tls:"];

/** @throws Error that names the position of a URL that is not valid, without repeating it: it may hold a password. */
export function resolveNatsOptions(given: string | NatsTransporterOptions = {}): ResolvedNatsOptions {
  const options = typeof given === "string" ? { url: given } : given;
  const { url, credsFile, contextInHeaders, disconnectTimeout, servers, ...rest } = options;
  const connection: ConnectionOptions = { ...DEFAULTS, ...rest };

  const fromUrl = (url?.split(",") ?? []).filter((part) => part.trim() !== "").map(parseUrl);
  const fromServers = [servers ?? []].flat().map(parseUrl);
  const hosts = (servers === undefined ? fromUrl : fromServers).map(({ host, port }) => (port === "" ? `${host}:4222` : host));
  if (hosts.length > 0) connection.servers = hosts;

  if (credsFile !== undefined && options.authenticator === undefined) connection.authenticator = fromCredsFile(credsFile);
  const urls = [...fromServers, ...fromUrl];
  takeUrlCredentials(connection, urls);
  if (options.tls === undefined && urls.some(({ protocol }) => protocol === "tls:")) connection.tls = {};

  return {
    connection,
    servers: hosts.length > 0 ? hosts : [`127.0.0.1:${options.port ?? 4222}`],
    contextInHeaders: contextInHeaders ?? true,
    disconnectTimeoutMs: disconnectTimeout ?? 2_000,
  };
}

function parseUrl(source: string, index: number): URL {
  const text = source.trim();
  let url: URL | undefined;
  try {
    url = new URL(text.includes("://") ? text : `nats://${text}`);
  } catch {
    // The error of `URL` holds the text, and with it the password.
  }
  if (url === undefined || url.host === "" || !SCHEMES.includes(url.protocol)) {
    throw new Error(`NATS URL number ${index + 1} is not valid. Write it like nats://host:4222 or tls://user:password@host:4222`);
  }
  return url;
}

/** The client knows one set of credentials for all servers: the first that a URL holds, unless some were given as options. */
function takeUrlCredentials(connection: ConnectionOptions, urls: readonly URL[]): void {
  const { authenticator, user, token } = connection;
  if (authenticator !== undefined || user !== undefined || token !== undefined) return;
  const url = urls.find(({ username, password }) => username !== "" || password !== "");
  if (url === undefined) return;
  if (url.password === "" && connection.pass === undefined) {
    connection.token = decode(url.username);
  } else {
    connection.user = decode(url.username);
    connection.pass ??= decode(url.password);
  }
}

/** A lone `%` is taken for itself: the password was not encoded then. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The client closes for good when an authenticator throws, so a file that cannot be read for a moment is answered from memory. */
function fromCredsFile(path: string): Authenticator {
  const { credsAuthenticator } = loadPeer("nats", "NatsTransporter");
  let creds: Uint8Array = readFileSync(path);
  return credsAuthenticator(() => {
    try {
      creds = readFileSync(path);
    } catch {
      // The previous ones; a server that refuses them says so.
    }
    return creds;
  });
}
