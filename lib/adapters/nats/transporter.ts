/**
 * Moleculer over NATS, with the execution context of tasks in real NATS message headers.
 *
 * For any node: coordinators, workers, clients. It speaks Moleculer's protocol, so nodes with
 * Moleculer's own transporter are on the same bus; they get the context in the packet's meta.
 * Beyond that it
 *
 * - keeps a message that is too large from ending the process or leaving the caller without an
 *   answer (`PAYLOAD_TOO_LARGE`),
 * - rejects a request at once while the link is known to be down (`BrokerDisconnectedError`: it
 *   was not sent),
 * - says in one line why it cannot connect, keeps trying, and ends within a deadline.
 *
 * What it cannot do: NATS keeps nothing. What was under way when the link broke is lost, and
 * nobody is told.
 */
import type { Msg } from "nats";
import { OfflineBuffer } from "./offline-buffer.ts";
import { disconnectedError, NatsLink } from "./connection.ts";
import { writeBufferOf } from "./write-buffer.ts";
import { noDataIn } from "../../util/no-data.ts";
import { CONTEXT_KEY, WIRE_PROTOCOL, WIRE_PROTOCOL_KEY } from "../../protocol/names.ts";
import { guarded } from "../../util/guarded.ts";
import { WireContext } from "../../protocol/wire-context.ts";
import { asBuffer, encodeHeaders, headerBlock, readContextHeader } from "./headers.ts";
import * as wire from "./packets.ts";
import type { WirePacket } from "./packets.ts";

export type { NatsTransporterOptions } from "./settings.ts";
export type { NatsStatus, NatsStatusListener } from "./status.ts";

/**
 * By how much a middleware (encryption) may lengthen a payload before the exact check in `send`.
 */
const MIDDLEWARE_SLACK = 1024;

interface SendMeta {
  readonly packet?: WirePacket;
  readonly headers?: Uint8Array;
}

/** The parts of Moleculer's classes that its types leave out. */
interface MoleculerInternals {
  readonly messageHandler: (cmd: string, packet: unknown) => Promise<void>;
}

interface MoleculerTransit {
  readonly pendingRequests: Map<string, { readonly ctx: { readonly meta?: Record<string, unknown> } }>;
}

/**
 * `transporter: new NatsTransporter({ url: "nats://host:4222" })` in a node's broker options. One
 * instance serves one broker. The constructor throws TASKFLOW_VALIDATION_ERROR for options that
 * are not valid; it repeats no URL.
 */
export class NatsTransporter extends NatsLink {
  readonly #held = new OfflineBuffer();
  /** The contexts of calls that tasks made. Calls of their handlers carry a context too. */
  readonly #ofTasks = new WeakSet<object>();

  override init(...args: Parameters<NatsLink["init"]>): void {
    super.init(...args);
    // Copies: the object may be the defaults that all brokers of the process share. INFO packets
    // are built from the local node's.
    const metadata = { ...this.broker.metadata, [WIRE_PROTOCOL_KEY]: WIRE_PROTOCOL };
    this.broker.metadata = metadata;
    const local = this.broker.registry.nodes.localNode;
    if (local) local.metadata = metadata;
    // The client throws where it is closed, or where the server accepts less than before.
    const release = guarded(
      this.logger,
      "An answer that was held while NATS was away is lost.",
      (topic: string, data: Uint8Array) => {
        if (this.isOnline) this.client?.publish(topic, data);
      },
    );
    this.onStatus(({ type }) => {
      if (type === "reconnected") this.#held.releaseSoon(release);
    });
  }

  /**
   * Whether a node, as far as this one has heard of it, understands the execution context in
   * message headers.
   */
  isHeaderCapable(nodeID: string): boolean {
    const metadata: unknown = this.broker.registry.nodes.get(nodeID)?.metadata;
    return (
      typeof metadata === "object" && metadata !== null && Number((metadata as Record<string, unknown>)[WIRE_PROTOCOL_KEY]) >= 1
    );
  }

  // ---------------------------------------------------------------- sending

  override prepublish(packet: WirePacket): Promise<void> {
    // The client closes a moment before it says so, and throws in between: a heartbeat that threw
    // would end the process.
    if (this.client?.isClosed()) this.connected = false;
    // The client would take it and throw it away at its next dial: the caller would wait for ever.
    if (!this.isOnline && this.connected && packet.type === wire.REQUEST) return Promise.reject(disconnectedError());
    return super.prepublish(packet as never);
  }

  override publish(packet: WirePacket): Promise<void> {
    if (packet.type === wire.RESPONSE) return this.#publishResponse(packet);
    if (packet.type !== wire.REQUEST) return super.publish(packet as never);
    try {
      return this.#publishRequest(packet);
    } catch (error) {
      // A throw would leave the call in Moleculer's list of pending ones.
      return Promise.reject(wire.asError(error));
    }
  }

  #publishRequest(packet: WirePacket): Promise<void> {
    const { payload, target } = packet;
    const context = payload.meta?.[CONTEXT_KEY];
    if (typeof context !== "object" || context === null || !payload.meta || !target || !this.hasHeaders) {
      return super.publish(packet as never);
    }
    const prepared = context instanceof WireContext ? context : undefined;
    const topic = this.getTopicName(packet.type, target);
    const rest = wire.withoutContext(payload.meta);
    if (this.contextInHeaders && this.isHeaderCapable(target)) {
      const headers = encodeHeaders(prepared?.text ?? JSON.stringify(context), prepared?.headers);
      const data = wire.withMeta(payload, rest, () => this.serialize(packet as never));
      // Escaping makes a header longer than the same text in a payload: one that is too large
      // there may still fit here.
      if (headers.length + data.length <= this.maxPayload) {
        prepared?.wasSent(undefined);
        return this.send(topic, data, { packet, headers });
      }
    }
    if (prepared === undefined) return super.publish(packet as never);
    return this.#publishPrepared(topic, packet, rest, prepared);
  }

  #publishPrepared(topic: string, packet: WirePacket, rest: Record<string, unknown>, context: WireContext): Promise<void> {
    const { payload } = packet;
    if (!wire.writesPlainJson(this.broker.serializer)) {
      const data = this.serialize(packet as never);
      context.wasSent(false);
      return this.send(topic, data, { packet, headers: encodeHeaders(undefined, context.headers) });
    }
    Object.assign(payload, { ver: this.broker.PROTOCOL_VERSION, sender: this.nodeID });
    const text = wire.spliceContext(payload, rest, context.text);
    const headers = headerBlock(undefined, context.headers);
    const { client } = this;
    // Without a middleware that needs the bytes, the text is written straight into the socket's
    // buffer.
    if (
      client &&
      this.isOnline &&
      this.send === NatsTransporter.prototype.send &&
      text.length * 3 + headers.length <= this.maxPayload
    ) {
      const bytes = writeBufferOf(client).publishText(topic, text, "", headers);
      context.wasSent(bytes === text.length);
      return Promise.resolve();
    }
    const data = Buffer.from(text);
    context.wasSent(data.length === text.length);
    return this.send(topic, data, { packet, headers: Buffer.from(headers, "latin1") });
  }

  /** The caller always gets an answer: a failure replaces a response that cannot be sent. */
  #publishResponse(packet: WirePacket): Promise<void> {
    const { payload } = packet;
    const topic = this.getTopicName(packet.type, packet.target ?? undefined);
    const refuse = (error: unknown): Promise<void> => {
      const refused = { ...packet, payload: wire.refusal(payload, error, this.nodeID) };
      return this.send(topic, this.serialize(refused as never), { packet: refused });
    };
    try {
      // Moleculer sends the whole meta back. The context is the caller's own, and with it a large
      // answer would not fit.
      const write = (): Buffer => this.serialize(packet as never);
      const data =
        payload.meta && CONTEXT_KEY in payload.meta ? wire.withMeta(payload, wire.withoutContext(payload.meta), write) : write();
      // Not before: cycles are refused by now.
      this.#checkAnswer(payload);
      const sent = this.send(topic, data, { packet });
      if (data.length + MIDDLEWARE_SLACK <= this.maxPayload) return sent;
      return sent.catch((error: unknown) =>
        wire.isPayloadTooLarge(error) ? refuse(error) : Promise.reject(wire.asError(error)),
      );
    } catch (error) {
      try {
        return refuse(error);
      } catch (second) {
        return Promise.reject(wire.asError(second));
      }
    }
  }

  /** @throws MoleculerError RESPONSE_NOT_SERIALIZABLE for an answer to a task that is no data */
  #checkAnswer({ meta, data, stream }: wire.WirePayload): void {
    const context = meta?.[CONTEXT_KEY];
    if (typeof context !== "object" || context === null || stream || !this.#ofTasks.has(context)) return;
    const found = noDataIn(data);
    if (found !== undefined) throw new TypeError(`got ${found}, which is no data.`);
  }

  /** The last step, after the middlewares. @throws MoleculerClientError `PAYLOAD_TOO_LARGE`. */
  override send(topic: string, data: Buffer, meta: SendMeta = {}): Promise<void> {
    const { client } = this;
    if (client === null) return Promise.resolve();
    const { headers } = meta;
    const bytes = headers === undefined ? data.length : headers.length + data.length;
    // The client's own check is off while it reconnects, and a server that gets too much closes
    // the connection.
    if (bytes > this.maxPayload) throw this.#tooLarge(topic, bytes, meta.packet);
    if (!this.isOnline && meta.packet?.type === wire.RESPONSE) this.#held.keep(topic, data);
    else writeBufferOf(client).publish(topic, data, headers);
    return Promise.resolve();
  }

  #tooLarge(topic: string, bytes: number, packet: WirePacket | undefined): Error {
    const limit = this.maxPayload;
    if (packet?.type === wire.REQUEST) {
      const { action } = packet.payload;
      return wire.payloadTooLarge(`The request of '${action}'`, bytes, limit, { packet: "REQUEST", action });
    }
    if (packet?.type === wire.RESPONSE) {
      return wire.payloadTooLarge("The handler ran, but its response", bytes, limit, {
        packet: "RESPONSE",
        outcome: wire.outcomeOf(packet.payload),
      });
    }
    return wire.payloadTooLarge(`The message to '${topic}'`, bytes, limit, { packet: packet?.type });
  }

  // ---------------------------------------------------------------- receiving

  override subscribe(cmd: string, nodeID?: string): Promise<void> {
    this.client?.subscribe(this.getTopicName(cmd, nodeID), {
      // An error here is a refused subscription, which the connection's status reports.
      callback: (error, message) => error === null && this.#deliver(cmd, message),
    });
    return Promise.resolve();
  }

  #deliver(cmd: string, message: Msg): void {
    try {
      const context = cmd === wire.REQUEST ? readContextHeader(message, this.knowsClient) : undefined;
      // No copy: the client gives each message memory that it does not use again (a fresh chunk
      // of the socket, or its own buffer).
      const done = this.receive(cmd, asBuffer(message.data), context);
      done?.catch((error: unknown) => this.logger.error(`Unable to handle a ${cmd} packet.`, error));
    } catch (error) {
      // Rethrown, it would end the client's reading.
      this.logger.error(`Unable to handle a ${cmd} packet.`, error);
    }
  }

  /**
   * `context` comes along in the place of the socket that Moleculer's middlewares hand on for
   * TCP.
   */
  override receive(cmd: string, data: Buffer, context?: unknown): Promise<void> | void {
    return typeof context === "string" ? this.#incomingRequest(cmd, data, context) : this.incomingMessage(cmd, data);
  }

  /**
   * A plain worker returns the whole context with its answer. It is not needed, so it is skipped at
   * the length at which it was sent.
   */
  override deserialize(cmd: string, data: Buffer): ReturnType<NatsLink["deserialize"]> {
    if (cmd !== wire.RESPONSE || !wire.writesPlainJson(this.broker.serializer)) return super.deserialize(cmd, data);
    const { pendingRequests } = this.broker.transit as unknown as MoleculerTransit;
    if (!(pendingRequests instanceof Map)) return super.deserialize(cmd, data);
    const rest = wire.skipContext(data, (id) => {
      const context = pendingRequests.get(id)?.ctx.meta?.[CONTEXT_KEY];
      return context instanceof WireContext ? context.sentBytes : 0;
    });
    if (rest !== data) {
      try {
        const packet = super.deserialize(cmd, rest);
        if (wire.isResponse(packet)) return packet;
      } catch {
        // The handler has changed the context, so the cut was in the wrong place.
      }
    }
    return super.deserialize(cmd, data);
  }

  #incomingRequest(cmd: string, data: Buffer, context: string): Promise<void> | void {
    try {
      const packet = this.deserialize(cmd, data) as WirePacket;
      packet.payload.meta ??= {};
      const parsed = JSON.parse(context) as object;
      packet.payload.meta[CONTEXT_KEY] = parsed;
      if (packet.payload.level === 1) this.#ofTasks.add(parsed);
      return (this as unknown as MoleculerInternals).messageHandler(cmd, packet);
    } catch (error) {
      this.logger.warn("Invalid incoming packet. Type:", cmd, error);
    }
  }
}
