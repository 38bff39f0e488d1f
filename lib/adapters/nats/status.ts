/** The states of the connection to NATS, in the transporter's terms. */
import type { DebugEvents, ErrorCode, Events, NatsConnection } from "nats";
import type { Logger } from "../../ports/logger.ts";
import { guarded } from "../../util/guarded.ts";

// The client's names are repeated here and checked by its types: a process without NATS loads this
// file too.
type EventName = `${Events | DebugEvents}`;
type CodeName = `${ErrorCode}`;

/**
 * - `disconnected`: the link is down; the client is dialling. Messages sent shortly before it, and
 *   those that others send now, are lost.
 * - `reconnected`: the link is up again, with its subscriptions. Answers that were under way will
 *   not come.
 * - `closed`: for good, after `disconnect()` or with the `error` that ended it. The node has to be
 *   restarted.
 * - `error`: the server refused something. With `permission` it refuses this subject until the
 *   server's configuration changes.
 */
export type NatsStatus =
  | { readonly type: "disconnected"; readonly server: string }
  | { readonly type: "reconnected"; readonly server: string }
  | { readonly type: "closed"; readonly error?: Error }
  | { readonly type: "error"; readonly code: string; readonly permission?: NatsPermission };

export interface NatsPermission {
  /** "publish" or "subscription". */
  readonly operation: string;
  readonly subject: string;
}

export type NatsStatusListener = (status: NatsStatus) => void;

/**
 * Reports each change of a connection until it is closed. What `listener` throws is logged: the
 * next change is reported all the same.
 */
export function watchStatus(client: NatsConnection, logger: Pick<Logger, "error">, listener: NatsStatusListener): void {
  const report = guarded(logger, "A listener for the state of NATS failed.", listener);
  const follow = async (): Promise<void> => {
    for await (const { type, data, permissionContext } of client.status()) {
      const event: EventName = type;
      if (event === "disconnect") report({ type: "disconnected", server: textOf(data) });
      else if (event === "reconnect") report({ type: "reconnected", server: textOf(data) });
      else if (event === "error") {
        report({ type: "error", code: textOf(data), ...(permissionContext && { permission: permissionContext }) });
      }
    }
  };
  void follow();
  void client.closed().then((error) => report({ type: "closed", ...(error && { error }) }));
}

/** One line for the log: what fails, and what to do. */
export function describeError(status: Extract<NatsStatus, { type: "error" }>): string {
  const { code, permission } = status;
  if (permission?.operation === "publish") {
    return `NATS forbids this node to publish to '${permission.subject}'; its messages there are lost. Allow it in the permissions of its NATS user.`;
  }
  if (permission !== undefined) {
    return `NATS forbids this node to subscribe to '${permission.subject}'; it receives no message sent there. Allow it in the permissions of its NATS user, then restart the node.`;
  }
  if (isAuthCode(code))
    return `NATS refused the credentials of this node (${code}). Correct them at the server or here; it keeps trying.`;
  return `NATS reported an error: ${code}.`;
}

/** One line for a connect that failed. `servers` without credentials. */
export function describeConnectFailure(error: unknown, servers: readonly string[], retrySeconds: number): string {
  const where = servers.join(", ");
  const again = `trying again every ${retrySeconds} s`;
  const code = reasonOf(error);
  if (isAuthCode(code)) {
    return `NATS at ${where} refused the credentials (${code}). Check the user, password, token or creds file of this node; ${again}`;
  }
  const tls = TLS_CODES.has(code) || code.startsWith("ERR_TLS") || code.includes("CERT");
  if (tls)
    return `NATS at ${where} could not be reached over TLS (${code}). Check its certificate and the tls options of this node; ${again}`;
  return `NATS is not reachable at ${where} (${code}). Start nats-server or set NATS_URL; ${again}`;
}

const TLS_CODES: ReadonlySet<string> = new Set<CodeName>(["SERVER_OPT_NA", "TLS"]);
const AUTH_CODES: ReadonlySet<string> = new Set<CodeName>([
  "AUTHORIZATION_VIOLATION",
  "AUTHENTICATION_EXPIRED",
  "AUTHENTICATION_TIMEOUT",
  "ACCOUNT_EXPIRED",
  "BAD_AUTHENTICATION",
]);

function isAuthCode(code: string): boolean {
  return AUTH_CODES.has(code);
}

/** The operating system's error code where there is one, because people search for it. */
function reasonOf(error: unknown): string {
  const { code, message, chainedError } = (error ?? {}) as { code?: unknown; message?: unknown; chainedError?: unknown };
  if (chainedError !== undefined) return reasonOf(chainedError);
  return textOf(code) || textOf(message) || "no reason given";
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
