/**
 * The user of a chaos run, in a process that is left alone: produces taskflows all the time, each
 * under an id of its own that is sent again until it is answered, and hears every event.
 */
import { setTimeout as delay } from "node:timers/promises";
import { getEventsEndpoint, NatsTransporter, TaskflowClient } from "../../lib/index.ts";
import type { TaskflowEvent, TaskflowDetails } from "../../lib/index.ts";
import { createNode, type TestNode } from "../helpers/nodes.ts";
import { Random } from "../simulation/random.ts";
import { chaosFlow, type FlowKind, KINDS } from "./flows.ts";

export interface ProducedFlow {
  readonly id: string;
  readonly kind: FlowKind;
  readonly number: number;
  answered: boolean;
  /** Times that `produce` was called. */
  sends: number;
  /** When it was called last. */
  sentAt: number;
  /** Its subscription stands and its wait is answered, where it has them. */
  isServed: boolean;
  finished: boolean;
  /** Last time that something was heard of it. */
  heardAt: number;
  /**
   * What its events told: the status of each change by `seq`, and what was told of it
   * differently.
   */
  readonly told: Map<number, string>;
  readonly contradictions: string[];
  /** Events of a subscription, in the order in which they came. */
  readonly subscribed?: { seq: number; what: string }[];
  /** `waitForTaskflow` of some of them. */
  waited?: TaskflowDetails;
}

export interface ProducerOptions {
  readonly url: string;
  readonly namespace: string;
  readonly seed: number;
  /** Taskflows a second, at most. */
  readonly rate: number;
  readonly maxInFlight: number;
}

const CALL_MS = 3_000;
const SWEEP_MS = 500;
const SILENT_MS = 3_000;
const SWEEP_SIZE = 6;
const SUBSCRIBE_EACH = 10;
const WAIT_EACH = 7;

export class Producer {
  readonly flows = new Map<string, ProducedFlow>();
  /** Of these, those that are not finished. */
  readonly inFlight = new Set<ProducedFlow>();
  /** Finished, in the order in which they did, until somebody takes them out. */
  readonly uncollected = new Set<ProducedFlow>();
  readonly node: TestNode;
  readonly client: TaskflowClient;
  readonly #options: ProducerOptions;
  readonly #random: Random;
  readonly #transporter: NatsTransporter;
  readonly #waiting: Promise<void>[] = [];
  #unsubscribe: (() => void)[] = [];
  #isProducing = false;
  #isClosed = false;
  /** Errors of calls by type: what users of the engine see in the storm. */
  readonly errors = new Map<string, number>();

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#transporter = new NatsTransporter({ url: options.url });
    const { namespace } = options;
    this.node = createNode(this.#transporter, { namespace, nodeID: "producer", heartbeatInterval: 5, heartbeatTimeout: 15 });
    this.client = new TaskflowClient(this.node.broker, { timeout: CALL_MS, retries: 0 });
  }

  async start(): Promise<void> {
    await this.node.broker.start();
    await this.node.broker.waitForServices(["taskflow", "ledgered", "plain"], 20_000, 50);
    const all = getEventsEndpoint("*", true, this.#options.namespace);
    this.#unsubscribe.push(this.#transporter.subscribeRaw(all, (message) => this.#heard(message.string())));
    void this.#sweep();
  }

  #heard(text: string): void {
    const event = JSON.parse(text) as TaskflowEvent;
    const flow = this.flows.get(event.data.taskflowId);
    if (!flow) return;
    flow.heardAt = performance.now();
    const what = whatOf(event);
    const before = flow.told.get(event.seq);
    if (before === undefined) flow.told.set(event.seq, what);
    else if (before !== what) flow.contradictions.push(`event ${event.seq} was ${before} and then ${what}`);
    if (event.eventType === "TASKFLOW" && isOver(event.data.taskflowStatus)) this.#finished(flow);
  }

  #finished(flow: ProducedFlow): void {
    if (flow.finished) return;
    flow.finished = true;
    this.inFlight.delete(flow);
    this.uncollected.add(flow);
  }

  /** Looks at taskflows of which nothing was heard for a while: events may be lost with the bus. */
  async #sweep(): Promise<void> {
    while (!this.#isClosed) {
      await delay(SWEEP_MS);
      const before = performance.now() - SILENT_MS;
      const silent = [...this.inFlight].filter(({ heardAt, answered }) => answered && heardAt < before).slice(0, SWEEP_SIZE);
      await Promise.all(
        silent.map(async (flow) => {
          flow.heardAt = performance.now();
          const row = await this.#try(() => this.client.getTaskflowDetails(flow.id));
          if (row && isOver(row.status)) this.#finished(flow);
        }),
      );
    }
  }

  async #try<Data>(call: () => Promise<Data>): Promise<Data | undefined> {
    try {
      return await call();
    } catch (error) {
      const type = typeof error === "object" && error !== null && "type" in error ? String(error.type) : String(error);
      this.errors.set(type, (this.errors.get(type) ?? 0) + 1);
      return undefined;
    }
  }

  /** Produces until `stopProducing`. */
  async produce(): Promise<void> {
    this.#isProducing = true;
    const { rate, maxInFlight, seed } = this.#options;
    let due = performance.now();
    for (let number = 1; this.#isProducing; number++) {
      while (this.#isProducing && this.inFlight.size >= maxInFlight) await delay(5);
      due = Math.max(due + 1_000 / rate, performance.now() - 1_000);
      await delay(Math.max(0, due - performance.now()));
      const kind = KINDS[number % KINDS.length] ?? "once";
      const flow: ProducedFlow = {
        id: `${kind}-${seed}-${number}`,
        kind,
        number,
        answered: false,
        sends: 0,
        sentAt: 0,
        isServed: false,
        finished: false,
        heardAt: performance.now(),
        told: new Map(),
        contradictions: [],
        ...(number % SUBSCRIBE_EACH === 0 ? { subscribed: [] } : {}),
      };
      this.flows.set(flow.id, flow);
      this.inFlight.add(flow);
      this.#waiting.push(this.#send(flow));
    }
  }

  stopProducing(): void {
    this.#isProducing = false;
  }

  async #send(flow: ProducedFlow): Promise<void> {
    const definition = chaosFlow(this.#random, flow.kind, flow.id);
    while (!this.#isClosed && !flow.answered) {
      flow.sends++;
      flow.sentAt = performance.now();
      const produced = await this.#try(() => this.client.produce(definition));
      if (produced) flow.answered = true;
      else await delay(200);
    }
    await Promise.all([this.#subscribe(flow), this.#wait(flow)]);
    flow.isServed = true;
  }

  async #subscribe(flow: ProducedFlow): Promise<void> {
    const { subscribed } = flow;
    if (!subscribed) return;
    let end = (): void => undefined;
    const handler = (event: TaskflowEvent): void => {
      subscribed.push({ seq: event.seq, what: whatOf(event) });
      // It would look into the store now and then for as long as it stands.
      if (hasLastEvent(flow)) end();
    };
    while (!this.#isClosed) {
      const subscription = await this.#try(() => this.client.subscribeToTaskflowEvents(flow.id, handler));
      if (subscription) {
        end = () => subscription.unsubscribe();
        this.#unsubscribe.push(end);
        if (hasLastEvent(flow)) end();
        return;
      }
      // A history that broke off begins anew.
      subscribed.length = 0;
      await delay(200);
    }
  }

  async #wait(flow: ProducedFlow): Promise<void> {
    if (flow.number % WAIT_EACH !== 0) return;
    while (!this.#isClosed && !flow.waited) {
      const details = await this.#try(() => this.client.waitForTaskflow(flow.id));
      if (details) flow.waited = details;
      else await delay(200);
    }
  }

  /** Resolves when every call of `produce` is answered, and every wait. */
  async settled(): Promise<void> {
    await Promise.all(this.#waiting);
  }

  async close(): Promise<void> {
    this.#isProducing = false;
    this.#isClosed = true;
    for (const end of this.#unsubscribe.splice(0)) end();
    await this.node.broker.stop();
  }
}

/** True also where there is no subscription. */
export const hasLastEvent = ({ subscribed }: ProducedFlow): boolean =>
  !subscribed || /^TASKFLOW (COMPLETED|PARTIAL_COMPLETED|FAILED|CANCELLED)$/.test(subscribed.at(-1)?.what ?? "");

export const isOver = (status: string): boolean => ["COMPLETED", "PARTIAL_COMPLETED", "FAILED", "CANCELLED"].includes(status);

/** What an event tells, in a word that two tellings of the same change have in common. */
function whatOf(event: TaskflowEvent): string {
  switch (event.eventType) {
    case "TASK": {
      const { taskId, attempt, taskStatus, taskResponse } = event.data;
      const run = typeof taskResponse === "object" && taskResponse !== null && "run" in taskResponse ? taskResponse.run : null;
      return `TASK ${taskId} ${attempt} ${taskStatus} ${String(run)}`;
    }
    case "STAGE":
      return `STAGE ${event.data.stageId} ${event.data.stageStatus}`;
    case "TASKFLOW":
      return `TASKFLOW ${event.data.taskflowStatus}`;
    default:
      return event.eventType;
  }
}
