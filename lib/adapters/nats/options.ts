/** The options of the NATS transporter, compiled once into those of the NATS client. */
import { readFileSync } from "node:fs";
import type { Authenticator, ConnectionOptions } from "nats";
import { parseNatsUrls } from "../../config/nats-urls.ts";
import { checkSettings } from "../../config/settings.ts";
import { valuesOf } from "../../util/setting.ts";
import { loadPeer } from "../system/peer-package.ts";
import { CLIENT_SETTINGS, NATS_SETTINGS, type NatsTransporterOptions, OWN_SETTINGS } from "./settings.ts";

export interface ResolvedNatsOptions {
  /** With credentials: never to be logged. */
  readonly connection: ConnectionOptions;
  /** `host:port` of each server, without credentials, for messages. */
  readonly servers: readonly string[];
  readonly contextInHeaders: boolean;
  readonly writeBuffer: boolean;
  readonly disconnectTimeoutMs: number;
}

/** @throws TASKFLOW_VALIDATION_ERROR. It never repeats a URL, which may hold a password. */
export function resolveNatsOptions(given: string | NatsTransporterOptions = {}): ResolvedNatsOptions {
  const options = typeof given === "string" ? { url: given } : given;
  checkSettings("The options of NatsTransporter", NATS_SETTINGS, options);
  const { url = "", credsFile, contextInHeaders, writeBuffer, disconnectTimeout } = valuesOf(OWN_SETTINGS, options);
  const { servers, ...client } = valuesOf(CLIENT_SETTINGS, options);
  const connection: ConnectionOptions = { ...client };

  const fromUrl = parseNatsUrls(url) ?? [];
  const fromServers = parseNatsUrls([servers ?? []].flat().join(",")) ?? [];
  const hosts = (servers === undefined ? fromUrl : fromServers).map(({ host, port }) => (port === "" ? `${host}:4222` : host));
  if (hosts.length > 0) connection.servers = hosts;

  if (credsFile !== undefined && options.authenticator === undefined) connection.authenticator = fromCredsFile(credsFile);
  const urls = [...fromServers, ...fromUrl];
  takeUrlCredentials(connection, urls);
  if (options.tls === undefined && urls.some(({ protocol }) => protocol === "tls:")) connection.tls = {};

  return {
    connection,
    servers: hosts.length > 0 ? hosts : [`127.0.0.1:${options.port ?? 4222}`],
    contextInHeaders,
    writeBuffer,
    disconnectTimeoutMs: disconnectTimeout,
  };
}

/**
 * The client knows one set of credentials for all servers: the first that a URL holds, unless
 * some were given as options.
 */
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

/** A lone `%` is kept: the password was not encoded. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * The client closes for good when an authenticator throws, so a file that cannot be read for a
 * moment is answered from memory.
 */
function fromCredsFile(path: string): Authenticator {
  const { credsAuthenticator } = loadPeer("nats", "NatsTransporter");
  let creds: Uint8Array = readFileSync(path);
  return credsAuthenticator(() => {
    try {
      creds = readFileSync(path);
    } catch {
      // The previous credentials; a server that refuses them reports it.
    }
    return creds;
  });
}
