import type { ServiceBroker } from "moleculer";
import type { JsonText } from "../core/flow.ts";
import type { Outcome } from "../core/inputs.ts";
import { fitEvent } from "../fit-event.ts";
import type { Bus, Call, EventMessage } from "../ports/bus.ts";
import { getEventsEndpoint, localSubjects, maxMessageBytesOf, natsClientOf } from "./events-endpoint.ts";
import { classifyError, toTaskError } from "./task-error.ts";
import { CONTEXT_KEY, WireContext } from "./wire-context.ts";

/** Moleculer's timers are Node's: a longer one would fire at once. Without one the engine's own still ends the attempt. */
const LONGEST_MS = 2 ** 31 - 1;

/** What Moleculer adds to an event that it emits. */
const EVENT_FRAME = 4_096;

/** What moves endpoints in and out of Moleculer's registry. */
const REGISTRY_EVENTS = ["$services.changed", "$node.connected", "$node.updated", "$node.disconnected"];

interface Endpoint {
  readonly id: string;
}

/** The bus on a Moleculer broker: calls by `broker.call` to a chosen node, events to NATS and by `emit` to who listens. */
export class MoleculerBus implements Bus {
  readonly #broker: ServiceBroker;
  /** Topics that some service listens for; forgotten whenever the registry changes. */
  readonly #listened = new Map<string, boolean>();
  readonly #forget = (): void => this.#listened.clear();

  constructor(broker: ServiceBroker) {
    this.#broker = broker;
    for (const event of REGISTRY_EVENTS) broker.localBus.on(event, this.#forget);
  }

  close(): void {
    for (const event of REGISTRY_EVENTS) this.#broker.localBus.off(event, this.#forget);
  }

  route(action: string): string | undefined {
    const endpoints = this.#broker.registry.actions.get(action) as { next(ctx: unknown): Endpoint | null } | undefined;
    return endpoints?.next(undefined)?.id;
  }

  call(call: Call, done: (outcome: Outcome) => void): void {
    const isLocal = call.node === this.#broker.nodeID;
    const { params, meta } = isLocal ? this.#copied(call) : this.#shared(call);
    const options = { nodeID: call.node, meta, timeout: call.listenMs > LONGEST_MS ? 0 : call.listenMs, retries: 0 };
    this.#broker.call<unknown, unknown>(call.action, params, options).then(
      (response) => done(answered(response)),
      (error: unknown) => done(classifyError(error, call.action, isLocal, Date.now())),
    );
  }

  /** For another process: what is sent is written at once, so nothing need be copied. Moleculer merges the answer's meta into the object it was given. */
  #shared(call: Call): { params: unknown; meta: Record<string, unknown> } {
    const { taskflowId, stageId, taskId, attempt, delivery, fence, idempotencyKey } = call;
    const headers = { taskflowId, stageId, taskId, attempt, delivery, fence, idempotencyKey };
    return { params: call.params, meta: { ...call.meta, [CONTEXT_KEY]: new WireContext(call.context, headers) } };
  }

  /** For this process: nothing is serialized on the way, so the handler is given copies of its own. */
  #copied(call: Call): { params: unknown; meta: Record<string, unknown> } {
    const meta = structuredClone(call.meta) as Record<string, unknown>;
    meta[CONTEXT_KEY] = JSON.parse(call.context) as unknown;
    return { params: structuredClone(call.params), meta };
  }

  hasAudience(): boolean {
    return (
      natsClientOf(this.#broker) !== undefined ||
      localSubjects(this.#broker).eventNames().length > 0 ||
      this.#isListenedFor("taskflow.**")
    );
  }

  /** Bytes that fit into one message to another node. */
  get maxMessageBytes(): number {
    return maxMessageBytesOf(this.#broker);
  }

  announce({ taskflowId, topic, text }: EventMessage): void {
    const subject = getEventsEndpoint(taskflowId, true, this.#broker.namespace);
    try {
      localSubjects(this.#broker).emit(subject, text);
      const nats = natsClientOf(this.#broker);
      const sent = nats ? fitEvent(text, this.maxMessageBytes - EVENT_FRAME) : text;
      nats?.publish(subject, Buffer.from(sent));
      const event = `taskflow.${topic}`;
      if (this.#isListenedFor(event))
        this.#broker.emit(event, JSON.parse(sent)).catch((error: unknown) => this.#notAnnounced(event, error));
    } catch (error) {
      this.#notAnnounced(subject, error);
    }
  }

  /** Subscribers that ask for the history get it all the same. */
  #notAnnounced(what: string, error: unknown): void {
    this.#broker.logger.debug(`An event could not be announced (${what}).`, error);
  }

  #isListenedFor(event: string): boolean {
    let known = this.#listened.get(event);
    if (known === undefined) {
      known = listensFor(this.#broker, event);
      this.#listened.set(event, known);
    }
    return known;
  }

  onWorkersChanged(listener: () => void): () => void {
    const { localBus } = this.#broker;
    for (const event of REGISTRY_EVENTS) localBus.on(event, listener);
    return () => {
      for (const event of REGISTRY_EVENTS) localBus.off(event, listener);
    };
  }
}

/** True if a service of any node listens for the event; for `taskflow.**`, for any event of taskflows. */
function listensFor(broker: ServiceBroker, event: string): boolean {
  const { events } = broker.registry.events as unknown as { events: { name: string; endpoints: unknown[] }[] };
  if (event.endsWith("**")) return events.some(({ name }) => name.startsWith("taskflow.") || name.startsWith("*"));
  return broker.registry.events.getAllEndpoints(event, null as never).length > 0;
}

function answered(response: unknown): Outcome {
  const reportedFailure =
    typeof response === "object" && response !== null && "success" in response && response.success === false;
  try {
    return { kind: "answered", response: (JSON.stringify(response) ?? "null") as JsonText, reportedFailure };
  } catch (error) {
    // Only a handler in this process can answer what is not JSON.
    const message = `The work was done, but its answer is not JSON: ${(error as Error).message}`;
    return { kind: "failed", error: { ...toTaskError(error), type: "RESPONSE_NOT_SERIALIZABLE", message }, permanent: true };
  }
}
