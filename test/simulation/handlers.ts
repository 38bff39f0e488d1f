/**
 * The workers' side: handlers run, are joined, remembered, killed, and report what nobody may
 * have heard.
 */
import type { TaskError } from "../../lib/core/model/values.ts";
import type { JsonText } from "../../lib/core/model/values.ts";
import { isFinished } from "../../lib/core/model/flow.ts";
import type { Outcome } from "../../lib/core/execution/inputs.ts";
import type { Call } from "../../lib/ports/dispatch.ts";
import type { Subject } from "./outcome-query.ts";
import type { Entry, Nodes } from "./ledger.ts";
import type { World } from "./world.ts";

const REPORTS = 100;
const REPORT_TIMEOUT_MS = 2_000;

export interface Job extends Subject {
  readonly call: Call;
}

/** Undefined: its process died. */
type Ended = (outcome: Outcome | undefined) => void;

export class Handlers {
  readonly #world: World;
  readonly #nodes: Nodes;
  #answers = 0;

  constructor(world: World, nodes: Nodes) {
    this.#world = world;
    this.#nodes = nodes;
  }

  /**
   * A delivery has arrived. `ended` is told how it ends. False: it is refused, and that tells
   * nothing.
   */
  take(job: Job, duration: number, ended: Ended): boolean {
    const world = this.#world;
    const { call, task } = job;
    const ledger = this.#nodes.ledgerOf(call.node);
    if (!ledger) {
      this.#run(job, undefined, duration, ended);
      return true;
    }
    const entry = ledger.entryOf(call.idempotencyKey);
    if (entry.state === "done" && entry.outcome) {
      world.count("input: delivery answered from memory");
      ended(entry.outcome);
      return true;
    }
    if (entry.state === "running") {
      world.count("input: delivery joined");
      entry.joined.add(ended);
      return true;
    }
    if (entry.refused >= call.delivery) {
      world.count("input: delivery refused");
      world.note(() => `    ${call.node} refuses ${call.idempotencyKey} delivery ${call.delivery}`);
      return false;
    }
    if (entry.state === "interrupted" && task.plan.options.exactlyOnceTaskExecution) ended(undefined);
    else this.#run(job, entry, duration, ended);
    return true;
  }

  #run(job: Job, entry: Entry | undefined, duration: number, ended: Ended): void {
    const world = this.#world;
    const { attempt, task, call } = job;
    attempt.executions++;
    if (task.plan.options.exactlyOnceTaskExecution && attempt.executions > 1)
      world.report(8, `the handler of ${call.idempotencyKey} runs for the ${attempt.executions}. time`);
    let isOver = false;
    const over: Ended = (outcome) => {
      if (isOver) return;
      isOver = true;
      ended(outcome);
    };
    if (entry) {
      entry.state = "running";
      entry.isAsked = false;
      entry.joined.add(over);
    }
    if (world.strikes("worker killed")) {
      world.agenda.in(world.random.int(0, duration), () => {
        if (isOver) return;
        world.note(() => `    ${call.node} dies at ${call.idempotencyKey}`);
        if (entry) {
          entry.state = "interrupted";
          endAll(entry, undefined);
        } else over(undefined);
        this.#nodes.kill(call.node, world.agenda.time);
      });
    }
    world.agenda.in(duration, () => {
      if (isOver) return;
      const outcome = this.#work(job);
      if (!entry) return over(outcome);
      entry.state = "done";
      entry.outcome = outcome;
      if (entry.isAsked) this.#report(job, outcome, 0);
      endAll(entry, outcome);
    });
  }

  /** Tells whichever coordinator may be the right one, until one has taken it. */
  #report(job: Job, outcome: Outcome, times: number): void {
    const world = this.#world;
    const { record, call, attempt } = job;
    if (times > REPORTS || isFinished(record.flow.status)) return;
    const again = (): void =>
      void world.agenda.in(Math.min(300 * 2 ** times, 5_000), () => this.#report(job, outcome, times + 1));
    const incarnation = world.fleet.anyStarted();
    if (!incarnation || incarnation.isCutOff || world.strikes("report lost")) return again();
    let isHeard = false;
    world.agenda.in(world.delay(), () =>
      incarnation.reach(() => {
        // It may be parked, and is read for it.
        const isHere = incarnation.cares(record) || record.row.owner === incarnation.owner;
        if (isHere || isFinished(record.flow.status)) attempt.told.push(outcome);
        incarnation.coordinator.report(call.idempotencyKey, outcome).then(
          (isAccepted) => {
            isHeard = isAccepted && !world.strikes("report lost");
            world.count(`input: report ${isAccepted ? "accepted" : "declined"}`);
            if (isAccepted) this.#checkAccepted(job);
          },
          () => world.count("input: report declined"),
        );
      }),
    );
    world.agenda.in(REPORT_TIMEOUT_MS, () => {
      if (!isHeard) again();
    });
  }

  /** Nobody tells it again: it must be stored, or be of no interest any more. */
  #checkAccepted({ record, task, attempt, call }: Job): void {
    const isOpen = record.flow.tasks[task.plan.ordinal]?.status === "RUNNING" && task.latest === attempt;
    if (isOpen) this.#world.report(35, `the report about ${call.idempotencyKey} is accepted, and the attempt runs`);
  }

  /** What comes of the work, at its end. */
  #work({ task, call }: Job): Outcome {
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
      if (task.plan.options.exactlyOnceTaskExecution && task.successes > 1 && !task.isForced)
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
}

function endAll(entry: Entry, outcome: Outcome | undefined): void {
  const waiting = Array.from(entry.joined);
  entry.joined.clear();
  for (const ended of waiting) ended(outcome);
}
