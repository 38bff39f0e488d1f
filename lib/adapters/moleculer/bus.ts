import type { ServiceBroker } from "moleculer";
import type { CommandResult, CommandRequest } from "../../core/model/command.ts";
import type { NatsConnection } from "nats";
import type { Outcome } from "../../core/execution/inputs.ts";
import { truncateEvent } from "../../protocol/truncate.ts";
import { isToBeFetched } from "../../protocol/large-outcome.ts";
import type { Bus, EventMessage } from "../../ports/bus.ts";
import type { Call, OutcomeQuery, Reply } from "../../ports/dispatch.ts";
import { queryWorker, shortInstance } from "./outcome-query.ts";
import { answered, answeredHere } from "../../protocol/call-outcome.ts";
import { type LocalSubjects, localSubjects, maxBytesOf, maxMessageBytesOf, natsClientOf } from "./broker-link.ts";
import { getEventsEndpoint } from "../../protocol/events-subject.ts";
import { hasBegun, watchBegun } from "./begun.ts";
import { forwardCommand } from "./forward-command.ts";
import { WorkerRegistry } from "./worker-registry.ts";
import { LargeResponses } from "./large-responses.ts";
import { onReconnected } from "./reconnect.ts";
import { writeBufferOf, type WriteBufferOptions } from "../nats/write-buffer.ts";
import { writesPlainJson } from "../nats/packets.ts";
import { directTransit, requestDirectly, type Transit } from "./direct-request.ts";
import { endCallsOfRestarted } from "./restarted-nodes.ts";
import { guarded } from "../../util/guarded.ts";
import { classifyError, isRefusedDelivery } from "../../protocol/task-error.ts";
import { ABORT_EVENT, CONTEXT_KEY, WORKER_KEY, WORKER_VERSION } from "../../protocol/names.ts";
import { WireContext } from "../../protocol/wire-context.ts";

/**
 * Moleculer uses Node's timers, which fire at once for a longer delay. Without a timer here, the
 * engine's own still ends the attempt.
 */
const LONGEST_MS = 2 ** 31 - 1;

/** The fields that Moleculer adds to an emitted event. */
const EVENT_FRAME = 4_096;

/** The events that change endpoints in Moleculer's registry. */
const REGISTRY_EVENTS = ["$services.changed", "$node.connected", "$node.updated", "$node.disconnected"];

interface Endpoint {
  readonly id: string;
}

interface EndpointList {
  readonly endpoints: readonly { readonly isAvailable: boolean }[];
  next(ctx: unknown): Endpoint | null;
  getEndpointByNodeID(node: string): Endpoint | null;
}

/**
 * The bus on a Moleculer broker: calls to a chosen node as `broker.call` makes them, events to
 * NATS, and by `emit` to services that listen.
 */
export class MoleculerBus implements Bus {
  readonly #broker: ServiceBroker;
  /** Topics with a listening service; cleared whenever the registry changes. */
  readonly #listened = new Map<string, boolean>();
  /** Subjects of events, up to the taskflow's id. */
  readonly #subjects: string;
  readonly #local: LocalSubjects;
  readonly #forget = (): void => this.#listened.clear();
  readonly #workers: WorkerRegistry;
  readonly #endWatch: () => void;
  /** Undefined: tasks are sent by `broker.call`. */
  readonly #transit: Transit | undefined;
  readonly #writeBuffer: WriteBufferOptions;
  /** Ends the outcome queries that are under way. */
  readonly #outcomeQueries = new Set<() => void>();
  readonly #largeResponses = new LargeResponses((question, done) => this.queryOutcome(question, done));

  /**
   * @param fastPaths whether it may reach into Moleculer and the NATS client where their versions
   * are known
   */
  constructor(broker: ServiceBroker, { fastPaths = true }: { readonly fastPaths?: boolean } = {}) {
    this.#broker = broker;
    this.#subjects = getEventsEndpoint("", true, broker.namespace);
    this.#local = localSubjects(broker);
    for (const event of REGISTRY_EVENTS) broker.localBus.on(event, this.#forget);
    this.#workers = new WorkerRegistry(broker);
    this.#endWatch = endCallsOfRestarted(broker);
    this.#transit = fastPaths ? directTransit(broker) : undefined;
    this.#writeBuffer = { isOn: fastPaths, logger: broker.logger };
    watchBegun(broker);
  }

  /** Queries that are under way get no answer. */
  close(): void {
    const { localBus } = this.#broker;
    for (const event of REGISTRY_EVENTS) localBus.off(event, this.#forget);
    this.#workers.close();
    this.#endWatch();
    for (const end of this.#outcomeQueries) end();
    this.#outcomeQueries.clear();
  }

  route(action: string, preferred?: string): string | undefined {
    const endpoints = this.#broker.registry.actions.get(action) as EndpointList | undefined;
    const chosen = preferred === undefined ? null : endpoints?.getEndpointByNodeID(preferred);
    return (chosen ?? endpoints?.next(undefined))?.id;
  }

  processOf(node: string): string | undefined {
    const { registry, nodeID, instanceID } = this.#broker;
    if (node === nodeID) return shortInstance(instanceID);
    const { instanceID: remote } = (registry.nodes.get(node) ?? {}) as { instanceID?: string | null };
    return remote ? shortInstance(remote) : undefined;
  }

  offers(action: string): number {
    const found = this.#broker.registry.actions.get(action) as EndpointList | undefined;
    return found?.endpoints.filter(({ isAvailable }) => isAvailable).length ?? 0;
  }

  queryOutcome(question: OutcomeQuery, done: (reply: Reply) => void): () => void {
    const end = queryWorker(this.#broker, this.#workers, question, (reply) => {
      this.#outcomeQueries.delete(end);
      done(reply);
    });
    this.#outcomeQueries.add(end);
    return () => {
      this.#outcomeQueries.delete(end);
      end();
    };
  }

  abort(node: string, key: string): void {
    const broker = this.#broker;
    if (node === broker.nodeID) {
      void broker.broadcastLocal(ABORT_EVENT, { key });
      return;
    }
    const endpoints = broker.registry.events.getAllEndpoints(ABORT_EVENT, null as never) as unknown as Endpoint[];
    const endpoint = endpoints.find(({ id }) => id === node);
    if (!endpoint || !broker.transit) return;
    // Like `broker.broadcast`, but to one node.
    const ctx = broker.ContextFactory.create(broker, endpoint as never, { key }, {});
    Object.assign(ctx, { eventName: ABORT_EVENT, eventType: "broadcast" });
    broker.transit.sendEvent(ctx).catch(() => undefined);
  }

  forward(node: string, taskflowId: string, order: CommandRequest): Promise<CommandResult | "not-mine" | "unanswered"> {
    return forwardCommand(this.#broker, node, taskflowId, order);
  }

  /**
   * The worker mixin fetches references. A plain worker returns the whole context with its answer,
   * so room is left for it.
   */
  carries(action: string, node: string, length: number): boolean {
    if (node === this.#broker.nodeID) return true;
    return !this.#hasMixin(action, node) && length <= maxMessageBytesOf(this.#broker) / 4;
  }

  #hasMixin(action: string, node: string): boolean {
    const endpoints = this.#broker.registry.actions.get(action) as EndpointList | undefined;
    const endpoint = endpoints?.getEndpointByNodeID(node) as
      { service?: { metadata?: Record<string, unknown> } } | null | undefined;
    return endpoint?.service?.metadata?.[WORKER_KEY] === WORKER_VERSION;
  }

  onReconnected(listener: () => void): () => void {
    return onReconnected(this.#broker, listener);
  }

  call(call: Call, done: (outcome: Outcome) => void): () => void {
    const isLocal = call.node === this.#broker.nodeID;
    const isJson = !isLocal && writesPlainJson(this.#broker.serializer);
    const { params, meta } = isLocal ? this.#copied(call) : this.#shared(call);
    // A handler with the mixin may extend its time by heartbeats. The engine times every attempt
    // anyway.
    const timeout = call.listenMs > LONGEST_MS || this.#hasMixin(call.target, call.node) ? 0 : call.listenMs;
    let endFetching: (() => void) | undefined;
    const { logger } = this.#broker;
    const sentence = `The answer to ${call.idempotencyKey} could not be handled.`;
    const succeeded = guarded(logger, sentence, (response: unknown) => {
      if (isToBeFetched(response, call.idempotencyKey)) endFetching = this.#largeResponses.fetch(call, done);
      else done(isJson ? answered(response) : answeredHere(response));
    });
    const failed = guarded(logger, sentence, (error: unknown) => {
      if (isRefusedDelivery(error, call.idempotencyKey)) return;
      const request = { action: call.target, node: call.node, caller: this.#broker.nodeID, key: call.idempotencyKey };
      done(classifyError(error, isLocal ? { ...request, hasBegun: hasBegun(error) } : request, Date.now()));
    });
    if (!isLocal && this.#transit) {
      const { target: action, node } = call;
      const end = requestDirectly(this.#broker, this.#transit, { action, node, params, meta, timeout }, succeeded, failed);
      if (end)
        return () => {
          endFetching?.();
          end();
        };
    }
    // If a broker tracks calls, its stop would wait for this one before the coordinator can drain.
    const options = { nodeID: call.node, meta, timeout, retries: 0, tracking: false };
    const answer = this.#broker.call<unknown, unknown>(call.target, params, options);
    answer.then(succeeded, failed);
    // Without a timeout, a request whose answer was lost would stay pending for ever.
    return () => {
      endFetching?.();
      const { ctx } = answer as { ctx?: { id: string } };
      if (ctx) this.#broker.transit?.removePendingRequest(ctx.id);
    };
  }

  /**
   * For another process: messages are serialized at once, so nothing has to be copied. Moleculer
   * merges the answer's meta into the object that it received.
   */
  #shared(call: Call): { params: unknown; meta: Record<string, unknown> } {
    const { taskflowId, stageId, taskId, attempt, delivery, fence, idempotencyKey } = call;
    const headers = { taskflowId, stageId, taskId, attempt, delivery, fence, idempotencyKey };
    return { params: call.params, meta: { ...call.meta, [CONTEXT_KEY]: new WireContext(call.context, headers, true) } };
  }

  /** For this process: nothing is serialized on the way, so the handler gets copies of its own. */
  #copied(call: Call): { params: unknown; meta: Record<string, unknown> } {
    const meta = structuredClone(call.meta) as Record<string, unknown>;
    meta[CONTEXT_KEY] = JSON.parse(call.context) as unknown;
    return { params: structuredClone(call.params), meta };
  }

  hasAudience(): boolean {
    return natsClientOf(this.#broker) !== undefined || this.#local.hasListeners || this.#isListenedFor("**");
  }

  /** Bytes that fit into one message to another node. */
  get maxMessageBytes(): number {
    return maxMessageBytesOf(this.#broker);
  }

  announce(message: EventMessage): void {
    const subject = this.#subjects + message.taskflowId;
    try {
      if (this.#local.hasListeners) this.#local.publish(subject, message.text);
      const nats = natsClientOf(this.#broker);
      if (nats) this.#publish(nats, subject, message);
      this.#emit(message.topic, message, nats !== undefined);
      if (message.also !== undefined) this.#emit(message.also, message, nats !== undefined);
    } catch (error) {
      this.#notAnnounced(subject, error);
    }
  }

  #emit(topic: string, message: EventMessage, hasNats: boolean): void {
    if (!this.#isListenedFor(topic)) return;
    const event = `taskflow.${topic}`;
    const fitting = hasNats ? this.#fitted(message) : message.text;
    this.#broker.emit(event, JSON.parse(fitting)).catch((error: unknown) => this.#notAnnounced(event, error));
  }

  #publish(nats: NatsConnection, subject: string, message: EventMessage): void {
    const { own, shared } = message;
    const buffer = writeBufferOf(nats, this.#writeBuffer);
    // A UTF-16 unit is at most three bytes: most events need no counting.
    if ((own.length + shared.length) * 3 <= maxBytesOf(nats) - EVENT_FRAME) buffer.publishText(subject, own, shared);
    else buffer.publishText(subject, this.#fitted(message));
  }

  #fitted({ text }: EventMessage): string {
    return truncateEvent(text, this.maxMessageBytes - EVENT_FRAME);
  }

  /** Subscribers that read the history get it anyway. */
  #notAnnounced(what: string, error: unknown): void {
    this.#broker.logger.debug(`An event could not be announced (${what}).`, error);
  }

  #isListenedFor(topic: string): boolean {
    let known = this.#listened.get(topic);
    if (known === undefined) {
      known = listensFor(this.#broker, `taskflow.${topic}`);
      this.#listened.set(topic, known);
    }
    return known;
  }

  onWorkersChanged(listener: () => void): () => void {
    const { localBus, logger } = this.#broker;
    // Moleculer emits some of them in a timer of its own.
    const heard = guarded(logger, "A change of the workers could not be handled.", () => listener());
    for (const event of REGISTRY_EVENTS) localBus.on(event, heard);
    return () => {
      for (const event of REGISTRY_EVENTS) localBus.off(event, heard);
    };
  }
}

/**
 * True if a service of any node listens for the event; for `taskflow.**`, for any event of
 * taskflows.
 */
function listensFor(broker: ServiceBroker, event: string): boolean {
  const { events } = broker.registry.events as unknown as { events: { name: string; endpoints: unknown[] }[] };
  if (event.endsWith("**")) return events.some(({ name }) => name.startsWith("taskflow.") || name.startsWith("*"));
  return broker.registry.events.getAllEndpoints(event, null as never).length > 0;
}
