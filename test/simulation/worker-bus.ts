/**
 * The bus and the workers behind it: they do the work, answer it, and lose whatever the faults of
 * the run have them lose.
 */
import { isFinished, isSettled } from "../../lib/core/model/flow.ts";
import { taskOrdinalOf } from "../../lib/core/model/ids.ts";
import type { Outcome, OutcomeReply } from "../../lib/core/execution/inputs.ts";
import type { EventMessage } from "../../lib/ports/bus.ts";
import type { Call, OutcomeQuery } from "../../lib/ports/dispatch.ts";
import { ask } from "./outcome-query.ts";
import { AttemptRecord } from "./attempt.ts";
import { ACTIONS } from "./definition.ts";
import { checkCall, checkEvent } from "./effect-rules.ts";
import { Handlers } from "./handlers.ts";
import { Nodes, NODES } from "./ledger.ts";
import type { Incarnation } from "./incarnation.ts";
import type { FlowRecord, TaskRecord } from "./record.ts";
import type { World } from "./world.ts";

interface Delivery {
  readonly incarnation: Incarnation;
  readonly call: Call;
  readonly record: FlowRecord;
  readonly task: TaskRecord;
  readonly attempt: AttemptRecord;
  readonly sentAt: number;
  readonly done: (outcome: Outcome) => void;
}

export class WorkerBus {
  readonly nodes: Nodes;
  readonly #world: World;
  readonly #handlers: Handlers;
  readonly #gone = new Set<string>();
  readonly #servedSince = new Map<string, number>();
  #newestAnswered = -1;

  constructor(world: World) {
    this.#world = world;
    this.nodes = new Nodes(world.random);
    this.#handlers = new Handlers(world, this.nodes);
    world.count(`world: workers' memory is ${this.nodes.memory}`);
  }

  /** Plans the times at which no node offers an action. */
  planAbsences(until: number): void {
    for (const action of ACTIONS) {
      if (!this.#world.strikes("no worker")) continue;
      const from = this.#world.random.int(0, until / 2);
      this.#world.agenda.in(from, () => this.#gone.add(action));
      this.#world.agenda.in(from + this.#world.random.int(1, until / 2), () => this.appear(action));
    }
  }

  appear(...actions: string[]): void {
    for (const action of actions) {
      if (this.#gone.delete(action)) this.#servedSince.set(action, this.#world.agenda.time);
    }
    for (const incarnation of this.#world.fleet.incarnations) {
      for (const listener of incarnation.listeners) {
        if (this.#world.strikes("worker news lost")) continue;
        this.#world.count("input: workers changed");
        incarnation.reach(listener);
      }
    }
  }

  isServed(action: string): boolean {
    return !this.#gone.has(action);
  }

  /** Virtual time; undefined: no node offers it now. */
  servedSince(action: string): number | undefined {
    return this.#gone.has(action) ? undefined : (this.#servedSince.get(action) ?? 0);
  }

  route(action: string, preferred?: string): string | undefined {
    if (this.#gone.has(action)) return undefined;
    return preferred !== undefined && this.#world.random.chance(0.7) ? preferred : this.#world.random.pick(NODES);
  }

  ask(incarnation: Incarnation, question: OutcomeQuery, done: (reply: OutcomeReply) => void): () => void {
    return ask(this, incarnation, question, done);
  }

  announce(incarnation: Incarnation, event: EventMessage): void {
    const record = this.#world.store.records.get(event.taskflowId);
    if (!record) return this.#world.report(4, `an event of ${event.taskflowId}, which is not stored: ${event.text}`);
    checkEvent(incarnation, record, event);
    if (this.#world.strikes("event lost")) return;
    const seq = Number(/"seq":(\d+)/.exec(event.text)?.[1]);
    record.announced.add(seq);
  }

  /** Returns what ends the listening for its answer. */
  call(incarnation: Incarnation, call: Call, done: (outcome: Outcome) => void): () => void {
    const world = this.#world;
    const record = world.store.records.get(call.taskflowId);
    const ordinal = record && taskOrdinalOf(record.flow.idBase, call.taskId);
    if (!record || ordinal === undefined) {
      world.report(3, `a call for ${call.taskflowId}, which is not stored`);
      return () => {};
    }
    const task = record.taskOf(ordinal);
    checkCall(incarnation, record, task, call);
    const turnedAway = task.latest?.turnedAwayAt;
    const isSame = turnedAway?.by === incarnation && turnedAway.delivery === call.delivery;
    const pause = isSame ? world.agenda.time - turnedAway.time : Number.POSITIVE_INFINITY;
    if (pause < 250 && !world.wentBack) world.report(44, `${call.idempotencyKey} is sent again after ${pause} ms`);
    const attempt = task.latest ?? new AttemptRecord(call.attempt, world.agenda.now, world.agenda.time);
    if (attempt.isTurnedAway) attempt.suspectSince = undefined;
    attempt.calls++;
    attempt.highestCalled = Math.max(attempt.highestCalled, call.delivery);
    attempt.sentAt = world.agenda.time;
    world.note(() => `    calls ${call.idempotencyKey} delivery ${call.delivery} at ${call.node}`);
    if (call.delivery > 1) world.count("input: recovery of a running attempt");
    attempt.sentBy = incarnation;
    incarnation.outstanding.set(call.idempotencyKey, world.agenda.time + task.plan.options.timeout);
    let isHeard = true;
    const hear = (outcome: Outcome): void => {
      if (isHeard) done(outcome);
    };
    const delivery = { incarnation, call, record, task, attempt, sentAt: world.agenda.time, done: hear };
    this.#carry(delivery);
    if (world.mutations.has("bus repeats blindly") && world.random.chance(0.1)) this.#carry({ ...delivery, done: () => {} });
    return () => {
      isHeard = false;
    };
  }

  #carry(delivery: Delivery): void {
    const world = this.#world;
    const { call, task } = delivery;
    const { timeout } = task.plan.options;
    const travel = world.delay();
    const { incarnation, attempt } = delivery;
    const isKept = incarnation.isCutOff && world.random.chance(0.5);
    if (isKept || !this.isServed(call.target) || world.strikes("not sent") || world.strikes("queue full")) {
      attempt.notSent++;
      attempt.unsent.add(call.delivery);
      this.#tell(delivery, travel, { kind: "not-sent" });
      return;
    }
    attempt.unsent.delete(call.delivery);
    attempt.highestLeft = Math.max(attempt.highestLeft, call.delivery);
    const silence: Outcome = {
      kind: "unknown",
      error: { type: "TASK_TIMEOUT", name: "RequestTimeoutError", message: "No answer came." },
    };
    const gone: Outcome = {
      kind: "unknown",
      error: { type: "WORKER_LOST", name: "RequestRejectedError", message: "The node that ran the attempt is gone." },
    };
    if (incarnation.isCutOff || world.strikes("request lost")) {
      this.#tell(delivery, call.listenMs, silence);
      return;
    }
    const deaths = this.nodes.deathsOf(call.node);
    const hasDied = (): boolean => this.nodes.deathsOf(call.node) !== deaths;
    if (world.strikes("worker lost")) {
      const arrive = (): void => {
        if (!hasDied()) this.#handlers.take(delivery, world.delay(), () => {});
      };
      if (world.random.chance(0.5)) world.agenda.in(travel, arrive);
      this.#tell(delivery, travel + world.delay(), gone);
      return;
    }
    const arrival = travel + (world.strikes("request late") ? world.random.int(0, 5_000) : 0);
    const duration =
      world.delay() + (world.strikes("reply late") ? timeout + world.random.int(0, task.plan.options.retryDelay) : 0);
    const until = world.agenda.time + call.listenMs;
    const stopListening = this.#tell(delivery, call.listenMs, silence);
    const ended = (outcome: Outcome | undefined): void => {
      const left = until - world.agenda.time;
      if (incarnation.isCutOff || left <= 0 || world.strikes("reply lost")) return;
      stopListening();
      this.#tell(delivery, Math.min(world.delay(), left), outcome ?? gone);
      // Two replies to one request; that a request never left is told once, by the own node.
      if (outcome && world.strikes("reply doubled")) this.#tell(delivery, world.delay(), outcome);
    };
    world.agenda.in(arrival, () => {
      if (hasDied()) return;
      if (!this.#handlers.take(delivery, duration, ended)) stopListening();
    });
  }

  /** Returns what keeps it from being told. */
  #tell(delivery: Delivery, delay: number, outcome: Outcome): () => void {
    return this.#world.agenda.in(delay, () => {
      const { incarnation, attempt, call, record, done } = delivery;
      incarnation.reach(() => {
        attempt.told.push(outcome);
        if (outcome.kind === "not-sent")
          attempt.turnedAwayAt = { time: this.#world.agenda.time, by: incarnation, delivery: call.delivery };
        if (outcome.kind === "unknown") attempt.lost.add(call.delivery);
        if (outcome.kind === "answered" || outcome.kind === "failed")
          attempt.answeredTo ??= { incarnation, fence: call.fence, at: this.#world.agenda.time };
        incarnation.outstanding.delete(call.idempotencyKey);
        this.#count(delivery, outcome);
        this.#world.note(
          () =>
            `  ${call.idempotencyKey} is told ${JSON.stringify(outcome)}${isFinished(record.flow.status) ? " after the end" : ""}`,
        );
        done(outcome);
      });
    });
  }

  #count({ record, task, attempt, sentAt }: Delivery, outcome: Outcome): void {
    const world = this.#world;
    world.count(`input: answer ${outcome.kind}`);
    if (outcome.kind === "answered" && outcome.reportedFailure) world.count("input: answer success false");
    if (outcome.kind === "failed" && outcome.retryAfterMs !== undefined) world.count("input: answer with retryAfter");
    if (sentAt < this.#newestAnswered) world.count("input: answers out of order");
    this.#newestAnswered = Math.max(this.#newestAnswered, sentAt);
    const { status } = record.flow.tasks[task.plan.ordinal] ?? {};
    if (isFinished(record.flow.status)) world.count("input: answer after the end");
    else if (task.latest !== attempt) world.count("input: answer of an older attempt");
    else if (status === "WAITING") world.count("input: answer during the retry delay");
    else if (status && isSettled(status)) world.count("input: answer of a settled task");
  }
}
