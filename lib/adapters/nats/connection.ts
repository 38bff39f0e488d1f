/**
 * The connection of the NATS transporter: it connects, follows the connection's state, ends it, and
 * offers subjects beside Moleculer's protocol.
 */
import { Errors, Transporters } from "moleculer";
import type { Msg, NatsConnection, PublishOptions, Subscription } from "nats";
import { guarded } from "../../util/guarded.ts";
import { withTimeout } from "../../util/timer.ts";
import { loadPeer } from "../system/peer-package.ts";
import { type ResolvedNatsOptions, resolveNatsOptions } from "./options.ts";
import type { NatsTransporterOptions } from "./settings.ts";
import { writeBufferOf } from "./write-buffer.ts";
import { describeConnectFailure, describeError, type NatsStatus, type NatsStatusListener, watchStatus } from "./status.ts";
import { payloadTooLarge } from "./packets.ts";

/** Fixed in Moleculer's transit. */
const RETRY_SECONDS = 5;
/** How long a connect may be pending before it is logged. */
const SLOW_CONNECT_MS = 2_500;
const DEFAULT_DEADLINE_MS = 2_000;
/** NATS's default, until the server announces its own. */
const DEFAULT_MAX_PAYLOAD = 1024 * 1024;
const MAX_LINES_SAID = 1_000;

/**
 * Moleculer's NATS transporter with a watched connection. The base of `NatsTransporter`, not meant
 * to be used alone.
 */
export class NatsLink extends Transporters.NATS {
  declare client: NatsConnection | null;
  protected readonly contextInHeaders: boolean;
  /** Whether the client's private parts may be used. */
  protected knowsClient = false;
  /** Private: it holds credentials. */
  readonly #options: ResolvedNatsOptions;
  readonly #connect = loadPeer("nats", "NatsTransporter").connect;
  readonly #listeners = new Set<NatsStatusListener>();
  readonly #rawSubscriptions = new Map<RawSubscription, Subscription | undefined>();
  readonly #said = new Set<string>();
  #isAway = false;
  #isStopped = false;
  #maxPayload = DEFAULT_MAX_PAYLOAD;
  #hasHeaders = false;

  constructor(options?: string | NatsTransporterOptions) {
    // The base class keeps its options in a public field, which `$node.options` sends to any
    // caller, so it gets none.
    super({});
    this.#options = resolveNatsOptions(options);
    this.contextInHeaders = this.#options.contextInHeaders;
  }

  /** Keeps credentials out of `$node.options` and of logs. */
  toJSON(): object {
    return { type: "NatsTransporter", servers: this.#options.servers };
  }

  /**
   * Rejects when no server took the connection; Moleculer's transit logs the reason and calls
   * again every 5 s.
   */
  override async connect(): Promise<void> {
    // Transit's timer may fire once after the broker was stopped; a rejection would make it retry
    // for ever.
    if (this.#isStopped && this.broker.stopping) return new Promise(() => {});
    this.#isStopped = false;
    const { connection, servers } = this.#options;
    const slow = setTimeout(() => {
      this.logger.warn(describeConnectFailure({ code: `no answer after ${SLOW_CONNECT_MS} ms` }, servers, RETRY_SECONDS));
    }, SLOW_CONNECT_MS);
    let client: NatsConnection;
    try {
      client = await this.#connect({ name: this.nodeID, ...connection });
    } catch (error) {
      void this.broker.broadcastLocal("$transporter.error", { error, module: "transporter", type: "clientError" });
      throw new Error(describeConnectFailure(error, servers, RETRY_SECONDS), { cause: error });
    } finally {
      clearTimeout(slow);
    }
    if (this.#isStopped) return client.close();
    this.#begin(client);
    await this.onConnected();
  }

  #begin(client: NatsConnection): void {
    this.client = client;
    this.knowsClient = writeBufferOf(client, { isOn: this.#options.writeBuffer, logger: this.logger }).isOn;
    this.#isAway = false;
    this.#readServerInfo();
    this.logger.info(`NATS client is connected to ${client.getServer()}.`);
    watchStatus(client, this.logger, (status) => {
      if (this.client === client) this.#follow(status);
    });
    for (const raw of this.#rawSubscriptions.keys()) this.#rawSubscriptions.set(raw, this.#subscribeTo(client, raw));
  }

  #readServerInfo(): void {
    const info = this.client?.info;
    this.#maxPayload = info?.max_payload ?? this.#maxPayload;
    this.#hasHeaders = info?.headers ?? false;
  }

  #follow(status: NatsStatus): void {
    if (status.type === "error") {
      this.#warnOnce(describeError(status));
    } else if (status.type === "disconnected") {
      this.#isAway = true;
      this.logger.warn(
        `The connection to NATS (${status.server}) is lost. Dialling again; until then nothing is sent or received.`,
      );
      void this.broker.broadcastLocal("$transporter.disconnected", { graceFul: false });
    } else if (status.type === "reconnected") {
      this.#isAway = false;
      this.#said.clear();
      this.#readServerInfo();
      this.logger.info(`NATS client is connected again, to ${status.server}.`);
      // Announces this node's services and requests the others': they may have changed unnoticed.
      // Emits `$transporter.connected`.
      this.onConnected(true).catch((error: unknown) => this.logger.warn("Unable to announce this node again.", error));
    } else {
      this.#isAway = true;
      this.connected = false;
      if (!this.#isStopped)
        this.logger.error("The connection to NATS is closed for good. Restart this node.", status.error?.message ?? "");
    }
    for (const listener of this.#listeners) guarded(this.logger, "A listener for the state of NATS failed.", listener)(status);
  }

  /** A refused subject or credential comes back with every message or redial. */
  #warnOnce(line: string): void {
    if (this.#said.has(line) || this.#said.size >= MAX_LINES_SAID) return;
    this.#said.add(line);
    this.logger.warn(line);
  }

  /**
   * Waits at most `disconnectTimeout` for NATS to accept what was sent, then closes. Never rejects.
   */
  override async disconnect(): Promise<void> {
    this.#isStopped = true;
    const client = this.client;
    if (client === null) return;
    const { disconnectTimeoutMs } = this.#options;
    try {
      await this.flush(disconnectTimeoutMs);
    } catch {
      this.logger.warn("NATS did not confirm the last messages; closing anyway.");
    }
    await withTimeout(client.close(), disconnectTimeoutMs, () => unanswered(disconnectTimeoutMs)).catch(() => {});
    this.connected = false;
    this.client = null;
  }

  /**
   * Calls `listener` for each change of the connection, after the transporter has handled it.
   * Returns a function that stops it.
   */
  onStatus(listener: NatsStatusListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Whether the link is up, as far as the client knows. A frozen server or a silent cut is
   * noticed within 30 s.
   */
  get isOnline(): boolean {
    return this.client !== null && !this.#isAway;
  }

  /**
   * Whether the server accepts message headers (any since 2.2 does, unless configured otherwise).
   */
  get hasHeaders(): boolean {
    return this.#hasHeaders;
  }

  /** The largest message that the server accepts, in bytes, headers and payload together. */
  get maxPayload(): number {
    return this.#maxPayload;
  }

  /**
   * Resolves when the server has received everything sent so far. Rejects when the link breaks, or
   * after `timeoutMs`.
   */
  async flush(timeoutMs = DEFAULT_DEADLINE_MS): Promise<void> {
    if (this.client === null || this.#isAway) throw disconnectedError();
    writeBufferOf(this.client).flush();
    await withTimeout(this.client.flush(), timeoutMs, () => unanswered(timeoutMs));
  }

  /** Milliseconds of a round trip to the server. Rejects like `flush`. */
  async rtt(timeoutMs = DEFAULT_DEADLINE_MS): Promise<number> {
    const start = performance.now();
    await this.flush(timeoutMs);
    return performance.now() - start;
  }

  // ---------------------------------------------------------------- raw subjects

  /**
   * Publishes outside Moleculer's protocol. True: handed to the client while the link was up, which
   * does not guarantee that it arrives. False: the link is down and nothing was sent.
   * @throws MoleculerClientError `PAYLOAD_TOO_LARGE`.
   */
  publishRaw(subject: string, data: Uint8Array | string, options?: PublishOptions): boolean {
    if (!this.isOnline) return false;
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    if (bytes.length > this.#maxPayload) throw payloadTooLarge(`The message to '${subject}'`, bytes.length, this.#maxPayload);
    if (this.client) writeBufferOf(this.client).flush();
    this.client?.publish(subject, bytes, options);
    return true;
  }

  /**
   * Subscribes outside Moleculer's protocol, now or when connected, across reconnects. Returns a
   * function that unsubscribes. What `callback` throws is logged.
   */
  subscribeRaw(subject: string, callback: (message: Msg) => void): () => void {
    const raw = { subject, callback };
    this.#rawSubscriptions.set(raw, this.client === null ? undefined : this.#subscribeTo(this.client, raw));
    return () => {
      this.#rawSubscriptions.get(raw)?.unsubscribe();
      this.#rawSubscriptions.delete(raw);
    };
  }

  #subscribeTo(client: NatsConnection, { subject, callback }: RawSubscription): Subscription {
    // Rethrown, it would end the client's reading.
    const heard = guarded(this.logger, `A message on ${subject} could not be handled.`, callback);
    return client.subscribe(subject, { callback: (error, message) => error === null && heard(message) });
  }
}

/**
 * "Not sent": Moleculer's own error while it is not connected. Its type requires arguments that it
 * does not take.
 */
export function disconnectedError(): Error {
  return Reflect.construct(Errors.BrokerDisconnectedError, []) as Error;
}

const unanswered = (ms: number): Error => new Error(`no answer from NATS within ${ms} ms`);

interface RawSubscription {
  readonly subject: string;
  readonly callback: (message: Msg) => void;
}
