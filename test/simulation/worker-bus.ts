/** The bus and the workers behind it: they do the work, answer it, and lose whatever the faults of the run have them lose. */
import type { JsonText, TaskError } from "../../lib/core/flow.ts";
import { isFinished, isSettled } from "../../lib/core/flow.ts";
import { taskOrdinalOf } from "../../lib/core/ids.ts";
import type { Outcome } from "../../lib/core/inputs.ts";
import type { Call, EventMessage } from "../../lib/ports/bus.ts";
import { AttemptRecord } from "./attempt.ts";
import { ACTIONS } from "./definition.ts";
import { checkCall, checkEvent } from "./effect-rules.ts";
import type { Life } from "./life.ts";
import type { FlowRecord, TaskRecord } from "./record.ts";
import type { World } from "./world.ts";

const NODES = ["worker-1", "worker-2", "worker-3"] as const;

interface Delivery {
  readonly life: Life;
  readonly call: Call;
  readonly record: FlowRecord;
  readonly task: TaskRecord;
  readonly attempt: AttemptRecord;
  readonly sentAt: number;
  readonly done: (outcome: Outcome) => void;
}

export class WorkerBus {
  readonly #world: World;
  readonly #gone = new Set<string>();
  readonly #servedSince = new Map<string, number>();
  #answers = 0;
  #newestAnswered = -1;

  constructor(world: World) {
    this.#world = world;
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
    for (const life of this.#world.lives) {
      for (const listener of life.listeners) {
        if (this.#world.strikes("worker news lost")) continue;
        this.#world.count("input: workers changed");
        listener();
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

  route(action: string): string | undefined {
    return this.#gone.has(action) ? undefined : this.#world.random.pick(NODES);
  }

  announce(event: EventMessage): void {
    const record = this.#world.store.records.get(event.taskflowId);
    if (!record) return this.#world.report(4, `an event of ${event.taskflowId}, which is not stored: ${event.text}`);
    checkEvent(record, event);
    if (this.#world.strikes("event lost")) return;
    const seq = Number(/"seq":(\d+)/.exec(event.text)?.[1]);
    record.announced.add(seq);
  }

  call(life: Life, call: Call, done: (outcome: Outcome) => void): void {
    const world = this.#world;
    const record = world.store.records.get(call.taskflowId);
    const ordinal = record && taskOrdinalOf(record.flow.idBase, call.taskId);
    if (!record || ordinal === undefined) return world.report(3, `a call for ${call.taskflowId}, which is not stored`);
    const task = record.taskOf(ordinal);
    checkCall(life, record, task, call);
    const attempt = task.latest ?? new AttemptRecord(call.attempt, world.agenda.now);
    attempt.calls++;
    attempt.sentAt = world.agenda.time;
    world.note(() => `    calls ${call.idempotencyKey} delivery ${call.delivery} at ${call.node}`);
    if (call.delivery > 1) world.count("input: recovery of a running attempt");
    life.outstanding.set(`${call.taskId}:${call.attempt}`, world.agenda.time + task.plan.options.timeout);
    const delivery = { life, call, record, task, attempt, sentAt: world.agenda.time, done };
    this.#carry(delivery);
    if (world.plants.has("bus repeats blindly") && world.random.chance(0.1)) this.#carry({ ...delivery, done: () => {} });
  }

  #carry(delivery: Delivery): void {
    const world = this.#world;
    const { call, task } = delivery;
    const { timeout } = task.plan.options;
    const travel = world.delay();
    if (!this.isServed(call.action) || world.strikes("not sent") || world.strikes("queue full")) {
      delivery.attempt.notSent++;
      return this.#tell(delivery, travel, { kind: "not-sent" });
    }
    const silence: Outcome = {
      kind: "unknown",
      error: { type: "TASK_TIMEOUT", name: "RequestTimeoutError", message: "No answer came." },
    };
    if (world.strikes("request lost")) return this.#tell(delivery, call.listenMs, silence);
    if (world.strikes("worker lost")) {
      if (world.random.chance(0.5)) this.#work(delivery);
      const error = { type: "WORKER_LOST", name: "RequestRejectedError", message: "The node that ran the attempt is gone." };
      return this.#tell(delivery, travel + world.delay(), { kind: "unknown", error });
    }
    const isLate = world.strikes("reply late");
    const duration = travel + (isLate ? timeout + world.random.int(0, task.plan.options.retryDelay + 50) : world.delay());
    world.agenda.in(duration, () => {
      const outcome = this.#work(delivery);
      const left = call.listenMs - duration;
      if (left <= 0 || world.strikes("reply lost")) return this.#tell(delivery, Math.max(left, 1), silence);
      this.#tell(delivery, Math.min(world.delay(), left), outcome);
      // Two replies to one request; that a request never left is told once, by the own node.
      if (world.strikes("reply doubled")) this.#tell(delivery, world.delay(), outcome);
    });
  }

  /** The handler runs to its end. */
  #work({ task, call }: Delivery): Outcome {
    const world = this.#world;
    const { random } = world;
    const number = ++this.#answers;
    const kind =
      world.isCalm || random.chance(world.successRate)
        ? "success"
        : random.pick(["fail", "fail", "fail", "later", "permanent", "task", "workflow", "report"]);
    world.note(() => `    ${call.node} did ${call.idempotencyKey}: ${kind} ${number}`);
    if (kind === "success") {
      task.successes++;
      if (task.plan.options.exactlyOnceTaskExecution && task.successes > 1)
        world.report(8, `task ${call.taskId} was done ${task.successes} times`);
      const response = random.pick([
        String(number),
        `"answer ${number}"`,
        `{"success":true,"number":${number}}`,
        "null",
        "0",
        "false",
        '""',
      ]);
      return { kind: "answered", response: response as JsonText, reportedFailure: false };
    }
    if (kind === "report") {
      task.successes += task.plan.options.checkSuccess ? 0 : 1;
      return { kind: "answered", response: `{"success":false,"number":${number}}` as JsonText, reportedFailure: true };
    }
    const error = (type: string): TaskError => ({ type, name: "Error", message: `Failure ${number}.`, nodeID: call.node });
    if (kind === "fail") return { kind: "failed", error: error("RETRYABLE"), permanent: false };
    if (kind === "later")
      return { kind: "failed", error: error("RETRYABLE"), permanent: false, retryAfterMs: random.pick([0, 300, 20_000]) };
    if (kind === "permanent") return { kind: "failed", error: error("PERMANENT"), permanent: true };
    return { kind: "failed", error: error("EXPECTED_ERROR"), permanent: true, abort: kind === "task" ? "task" : "workflow" };
  }

  #tell(delivery: Delivery, delay: number, outcome: Outcome): void {
    this.#world.agenda.in(delay, () => {
      const { life, attempt, call, record, done } = delivery;
      if (!life.isAlive) return;
      attempt.told.push(outcome);
      life.outstanding.delete(`${call.taskId}:${call.attempt}`);
      this.#count(delivery, outcome);
      this.#world.note(
        () =>
          `  ${call.idempotencyKey} is told ${JSON.stringify(outcome)}${isFinished(record.flow.status) ? " after the end" : ""}`,
      );
      done(outcome);
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
