/**
 * The worker's side of the delivery guarantees.
 *
 * 1. A delivery with an outdated fence, or one that was reported as never begun, is rejected.
 * 2. A handler runs once for all deliveries of an attempt, as far as the ledger reaches.
 * 3. The outcome is in the ledger before the answer leaves.
 * 4. A queried outcome is reported until the owner of the taskflow has accepted it.
 */
import type { Context, ServiceBroker } from "moleculer";
import { setTimeout as delay } from "node:timers/promises";
import { maxMessageBytesOf } from "../adapters/moleculer/broker-link.ts";
import { CONTEXT_KEY } from "../protocol/names.ts";
import { taskflowError } from "../errors/errors.ts";
import type { Logger } from "../ports/logger.ts";
import { fits, MESSAGE_FRAME } from "../protocol/chunks.ts";
import { withTimeout } from "../util/timer.ts";
import { hasCauses } from "../protocol/kept-error.ts";
import { resemblesWordOfTheBus } from "../protocol/task-error.ts";
import { RetryQueue } from "./retry-queue.ts";
import { Fences } from "./fencing.ts";
import { handleOf } from "./handle.ts";
import type { Ledger } from "./ledger/ledger.ts";
import { outcomeChunk, type OutcomeChunk, toBeFetched } from "../protocol/large-outcome.ts";
import { endedBadly, endedWell, revived, type AttemptResult, type WireOutcome } from "./outcome.ts";
import { OutcomeReports } from "./outcome-reports.ts";
import { type Result, RunningAttempt } from "./running-attempt.ts";
import type { TaskflowExecutionContext } from "../../schemas/execution-context.schema.ts";
import type { Delivery } from "./delivery.ts";
import { OutcomeCache } from "./outcome-cache.ts";

export interface TaskWorkerPorts {
  readonly broker: ServiceBroker;
  readonly logger: Logger;
  readonly ledger: Ledger;
  readonly keepForMs: number;
}

/** A worker's answer about a key. */
export interface OutcomeAnswer {
  /** The process that answers. */
  readonly instance: string;
  /** `unknown`: the ledger does not reach back to when the attempt was sent. */
  readonly state: "done" | "running" | "interrupted" | "never" | "unknown";
  readonly outcome?: WireOutcome;
  /** With `running`, in this process: time since the handler began or sent its latest heartbeat. */
  readonly quietMs?: number;
  /**
   * In place of an outcome that does not fit into a message: a chunk of its text, from the
   * requested offset on.
   */
  readonly part?: OutcomeChunk;
}

/** How often the shared ledger is checked for an attempt that another process runs. */
const LOOK_MS = 500;
/** How long a stop waits for handlers after aborting them. */
const STOP_GRACE_MS = 1_000;
/** A larger meta is omitted from the answer; nothing reads it there. */
const MAX_META = 8_192;

type Handler = (ctx: Context) => unknown;

const fencesOf = new WeakMap<ServiceBroker, Fences>();

export class TaskWorker {
  readonly #ports: TaskWorkerPorts;
  readonly #runs = new Map<string, RunningAttempt>();
  readonly #fences: Fences;
  readonly #reports: OutcomeReports;
  /** Outcomes that the ledger has not accepted yet. */
  readonly #unsavedOutcomes = new Map<string, string>();
  readonly #keeping: RetryQueue;
  readonly #unfetched = new OutcomeCache();
  #isStopped = false;

  constructor(ports: TaskWorkerPorts) {
    this.#ports = ports;
    const { broker, keepForMs } = ports;
    this.#fences = fencesOf.get(broker) ?? new Fences();
    fencesOf.set(broker, this.#fences);
    this.#reports = new OutcomeReports(broker, keepForMs);
    this.#keeping = new RetryQueue(keepForMs);
  }

  /** Aborts the running handlers and gives them a moment to end. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const runs = [...this.#runs.values()];
    for (const run of runs) run.abort("The node stops.");
    if (runs.length > 0) {
      const ended = Promise.all(runs.map(({ result }) => result));
      await withTimeout(ended, STOP_GRACE_MS, () => new Error("A handler did not end.")).catch(() => undefined);
    }
    this.#reports.stop();
    this.#keeping.stop();
    this.#unfetched.clear();
  }

  abort(key: string): void {
    this.#runs.get(key)?.abort("The coordinator has given up the attempt.");
  }

  /** Serves one delivery. */
  async serve(ctx: Context, call: Delivery, handler: Handler): Promise<unknown> {
    const { context, key, fence, action } = call;
    const seen = this.#fences.outdatedBy(lifeOf(context.taskflow), fence, performance.now());
    if (seen !== undefined) {
      const message = `The taskflow has another owner by now: this delivery has fence ${fence}, and ${seen} was seen.`;
      throw taskflowError("TASKFLOW_FENCED", message, { action, key, fence, seen });
    }
    for (;;) {
      const current = this.#runs.get(key);
      if (!current) return this.#given(ctx, call, await this.#start(ctx, call, handler));
      current.watch(call.timeoutMs);
      const result = await current.result;
      // Each delivery gets the stored outcome, not an object that another delivery got.
      if (result.kind === "ended") return this.#given(ctx, call, { kind: "ended", ended: revived(result.ended.text) });
    }
  }

  #given(ctx: Context, { key, action, delivery }: Delivery, result: Result): unknown {
    const isRemote = ctx.nodeID !== null && ctx.nodeID !== this.#ports.broker.nodeID;
    if (isRemote) ctx.meta = metaForAnswer(ctx.meta);
    if (result.kind === "turned-away") throw result.error;
    const { deliver, text } = result.ended;
    // The coordinator fetches an error that would lose its causes on the way, or look like the
    // bus's word.
    const isClear =
      "value" in deliver
        ? fits(text, this.#maxBytes)
        : !resemblesWordOfTheBus(deliver.error, action) && !hasCauses(deliver.error);
    // The answer itself does not say that the handler of another delivery gave it.
    if ((isRemote && !isClear) || result.ended.delivery !== delivery) {
      this.#unfetched.add(key, text);
      return toBeFetched(key);
    }
    if ("error" in deliver) throw deliver.error;
    return deliver.value;
  }

  async #start(ctx: Context, call: Delivery, handler: Handler): Promise<Result> {
    const { key } = call;
    const run = new RunningAttempt();
    this.#runs.set(key, run);
    run.watch(call.timeoutMs);
    const known = await this.#known(call, run).catch((error: unknown): Result => ({
      kind: "turned-away",
      error: unavailable(call, error),
    }));
    let result = known;
    try {
      result ??= await this.#run(ctx, call, run, handler);
      return result;
    } finally {
      this.#runs.delete(key);
      run.end(result ?? { kind: "turned-away", error: new Error("The attempt could not be served.") });
    }
  }

  /** The ledger's answer to a delivery; undefined: this process runs it. */
  async #known(call: Delivery, run: RunningAttempt): Promise<Result | undefined> {
    const { ledger, broker } = this.#ports;
    const { key, delivery, exactlyOnce } = call;
    const instance = broker.instanceID;
    let retake: string | undefined;
    for (;;) {
      const begun = await ledger.begin(key, { delivery, instance, ...(retake === undefined ? {} : { retake }) });
      switch (begun.kind) {
        case "new":
          return undefined;
        case "done":
          return { kind: "ended", ended: revived(begun.outcome) };
        case "refused": {
          const message = `Delivery ${delivery} rejected: the coordinator was already told that this attempt never started.`;
          return turnedAway("TASK_DELIVERY_REFUSED", message, call);
        }
        case "running": {
          const unsavedOutcomes = this.#unsavedOutcomes.get(key);
          if (unsavedOutcomes !== undefined) return { kind: "ended", ended: revived(unsavedOutcomes) };
          if (this.#isAlive(begun.instance) && !run.signal.aborted) {
            await delay(LOOK_MS, undefined, { signal: run.signal }).catch(() => undefined);
          } else if (exactlyOnce || run.signal.aborted) {
            const message =
              "Another process started the attempt and did not finish it, so it is unknown whether its work was done.";
            return turnedAway("TASK_OUTCOME_UNKNOWN", message, call);
          } else retake = begun.instance;
        }
      }
    }
  }

  async #run(ctx: Context, call: Delivery, run: RunningAttempt, handler: Handler): Promise<Result> {
    const { broker } = this.#ports;
    const { nodeID } = broker;
    const { handle, end } = handleOf(ctx, call, run.signal, () => run.watch(call.timeoutMs));
    Object.defineProperty(ctx, "taskflow", { value: handle, configurable: true });
    const isLocal = ctx.nodeID === null || ctx.nodeID === nodeID;
    const maxBytes = isLocal ? Number.POSITIVE_INFINITY : this.#maxBytes;
    const how = { nodeID, delivery: call.delivery, maxBytes };
    let ended: AttemptResult;
    try {
      ended = endedWell(await handler(ctx), how);
    } catch (thrown) {
      ended = endedBadly(thrown, how);
    } finally {
      end();
    }
    return { kind: "ended", ended: await this.#keep(call, run, ended) };
  }

  /**
   * Stores the outcome in the ledger before the answer leaves. If that fails, the answer leaves
   * anyway, and the outcome is stored as soon as possible.
   */
  async #keep(call: Delivery, run: RunningAttempt, ended: AttemptResult): Promise<AttemptResult> {
    const { key, action } = call;
    const { ledger, logger } = this.#ports;
    let asked = false;
    let first = ended;
    try {
      const finished = await ledger.finish(key, ended.text);
      ({ asked } = finished);
      // Another process has run it too and ended first: its outcome is valid for all.
      if (finished.outcome !== ended.text) first = revived(finished.outcome);
    } catch (error) {
      if (!this.#isStopped) logger.warn(`The outcome of ${key} is not in the worker's ledger yet; trying again.`, error);
      this.#unsavedOutcomes.set(key, ended.text);
      this.#keeping.add(
        key,
        () => this.#keepLater(key, ended.text),
        () => this.#unsavedOutcomes.delete(key),
      );
    }
    if (asked || run.asked) this.#reports.add(key, action, first.text);
    return first;
  }

  async #keepLater(key: string, text: string): Promise<boolean> {
    try {
      await this.#ports.ledger.finish(key, text);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Answers a coordinator's query about an attempt.
   * @param offset where to continue in an outcome that is sent in chunks
   */
  async answer(key: string, delivery: number, ageMs: number, offset?: number): Promise<OutcomeAnswer> {
    const { ledger, broker } = this.#ports;
    const instance = broker.instanceID;
    const done = (text: string): OutcomeAnswer => {
      const head = { instance, state: "done" } as const;
      if (offset === undefined && fits(text, this.#maxBytes)) return { ...head, outcome: JSON.parse(text) as WireOutcome };
      const part = outcomeChunk(text, offset ?? 0, this.#maxBytes);
      if (part.nextOffset === undefined) this.#unfetched.delete(key);
      else if (offset === undefined) this.#unfetched.add(key, text);
      return { ...head, part };
    };
    const run = this.#runs.get(key);
    run?.wasAsked();
    const atHand = this.#unsavedOutcomes.get(key) ?? this.#unfetched.get(key);
    if (atHand !== undefined) return done(atHand);
    const asked = await ledger.ask(key, delivery, ageMs);
    if (asked.kind === "done") return done(asked.outcome);
    if (asked.kind === "running") {
      if (asked.instance !== instance) return { instance, state: this.#isAlive(asked.instance) ? "running" : "interrupted" };
      const running = this.#runs.get(key);
      return running ? { instance, state: "running", quietMs: running.quietMs } : { instance, state: "interrupted" };
    }
    return { instance, state: asked.kind };
  }

  /** As far as this node knows: a dead node counts as alive until its heartbeats are missed. */
  #isAlive(instance: string): boolean {
    const { registry } = this.#ports.broker;
    const nodes = registry.nodes.toArray() as { id: string; available: boolean; local: boolean; instanceID: string | null }[];
    return nodes.some((node) => node.instanceID === instance && node.available && !node.local);
  }

  get #maxBytes(): number {
    return maxMessageBytesOf(this.#ports.broker) - MESSAGE_FRAME;
  }
}

/**
 * The ids of a taskflow's tasks begin with a part of their own, which is new when the taskflow's id
 * is used again.
 */
const lifeOf = ({ id, taskId }: TaskflowExecutionContext["taskflow"]): string => `${id} ${taskId.slice(0, 24)}`;

function unavailable({ action, key }: Delivery, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `The worker's ledger cannot be written, so the attempt was not begun: ${why}`;
  return Object.assign(taskflowError("TASK_LEDGER_UNAVAILABLE", message, { action, key }), { cause });
}

function turnedAway(
  type: "TASK_DELIVERY_REFUSED" | "TASK_OUTCOME_UNKNOWN",
  message: string,
  { action, key, delivery }: Delivery,
): Result {
  return { kind: "turned-away", error: taskflowError(type, message, { action, key, delivery }) };
}

/**
 * Moleculer sends the whole meta back with the answer, and ends the process if it does not fit or
 * is not JSON. The execution context is the coordinator's own, and additions of the handler are not
 * read.
 */
function metaForAnswer(meta: object): Record<string, unknown> {
  const { [CONTEXT_KEY]: _context, ...rest } = meta as Record<string, unknown>;
  try {
    return JSON.stringify(rest).length <= MAX_META ? rest : {};
  } catch {
    return {};
  }
}
