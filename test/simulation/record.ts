/**
 * A taskflow in the durable store, with the state that its journal tells of and everything that
 * the world knows about it. Each entry is checked when it is stored, fact by fact, by rules that
 * are written down here a second time.
 */
import { apply, isEvent } from "../../lib/core/journal/apply.ts";
import { assertFlow } from "../../lib/core/model/invariants.ts";
import { build } from "../../lib/core/journal/build.ts";
import type { Entry, Fact } from "../../lib/core/journal/facts.ts";
import { type Flow, isFinished, isSettled, type Task } from "../../lib/core/model/flow.ts";
import { taskId } from "../../lib/core/model/ids.ts";
import { decodeEntry } from "../../lib/core/journal/journal.ts";
import type { TaskflowRow } from "../../lib/ports/store.ts";
import { AttemptRecord } from "./attempt.ts";
import type { Client } from "./client.ts";
import { Decisions } from "./decisions.ts";
import { type Plan, type PlannedTask, within } from "./definition.ts";
import { expectedEvent } from "./expected-event.ts";
import type { GivenOrder } from "./given-command.ts";
import type { Incarnation } from "./incarnation.ts";
import { checkDue } from "./parking.ts";
import { checkDelayed, checkLate, checkReturned, checkSettled, checkStarted } from "./rules.ts";
import type { World } from "./world.ts";

/** Kinds of facts that leave a taskflow finished. */
const CHANGES_NOTHING: ReadonlySet<Fact["kind"]> = new Set(["owned", "late-response", "annotated", "command-handled", "updated"]);

export class TaskRecord {
  plan: PlannedTask;
  readonly attempts: AttemptRecord[] = [];
  /** Executions that ended well, by any worker, whoever heard of it. */
  successes = 0;
  /** When the stage was entered. */
  dueSince = 0;
  /** Virtual time since which it could have been sent. */
  openSince: number | undefined;
  retryAt: number | undefined;
  /** Somebody had it run again; and he did so whatever may have become of its latest attempt. */
  isReset = false;
  isForced = false;
  /** Attempts of earlier runs. */
  #before = 0;

  constructor(plan: PlannedTask) {
    this.plan = plan;
  }

  /** In this run. */
  get runAttempts(): number {
    return this.attempts.length - this.#before;
  }

  /** It is to run again. */
  reset(): void {
    this.isReset = true;
    this.#before = this.attempts.length;
    this.retryAt = undefined;
  }

  get latest(): AttemptRecord | undefined {
    return this.attempts.at(-1);
  }
}

export class FlowRecord {
  readonly world: World;
  readonly taskflowId: string;
  readonly client: Client;
  readonly plan: Plan;
  readonly row: TaskflowRow;
  /** How often its owner came back and made sure of it. */
  secured = 0;
  readonly texts: string[] = [];
  /** What replaces its entries up to a revision for those who read it. */
  snapshot: { readonly revision: number; readonly texts: readonly string[] } | undefined;
  readonly entries: Entry[] = [];
  readonly decisions = new Decisions(this);
  /** Who was promised which run. */
  readonly winners = new Map<number, GivenOrder>();
  /** When the latest run began. */
  runSince: number;
  /** As the journal leaves it. */
  readonly flow: Flow;
  readonly tasks: TaskRecord[];
  /** Every event without its tree, by `seq` − 1. */
  readonly events: string[] = [];
  /** Who stored each of them. */
  readonly storedBy: Incarnation[] = [];
  /** `seq` of the events that were announced. */
  readonly announced = new Set<number>();
  /** `seq` of the latest event that each coordinator announced since it took it over. */
  readonly lastAnnounced = new Map<Incarnation, number>();
  /** Those that may announce its end once more. */
  readonly mayRepeat = new Set<Incarnation>();
  /** `seq` of the latest event that anybody announced. */
  announcedUpTo = 0;
  /** Who wrote last as its owner, and who has claimed it since or was that already. */
  driver: Incarnation;
  holder: Incarnation;
  /** Virtual time at which the driver became that, and at which the row's owner changed. */
  drivenSince = 0;
  /** Virtual time of its latest entry. */
  storedAt = 0;
  ownedAt = 0;
  /** In whose memory it is, and the virtual time since which that is so. */
  keeper: Incarnation | undefined;
  keptSince = 0;
  /** It was in the memory of its owner, and its row says when it will be again. */
  isParked = false;
  /** Virtual time since which its running stage has been below its maxConcurrency. */
  roomSince = 0;
  /** The life that called last for it, and the highest fence of a call. */
  caller: Incarnation | undefined;
  callerFence = 0;
  #highestFence = 0;

  constructor(world: World, incarnation: Incarnation, row: TaskflowRow, text: string) {
    this.world = world;
    this.driver = this.holder = incarnation;
    this.drivenSince = this.ownedAt = world.agenda.time;
    this.row = { ...row };
    this.taskflowId = row.taskflowId;
    const entry = decodeEntry(text);
    const first = entry.facts[0];
    if (first?.kind !== "created") throw new Error("The first fact of a taskflow is its creation.");
    this.client = world.clientOf(first.definition);
    this.plan = this.client.plan;
    if (!text.includes(this.plan.text))
      world.report(1, `${row.taskflowId} is stored with another definition than it was produced with`);
    this.tasks = this.plan.tasks.map((task) => new TaskRecord(task));
    this.flow = build(first, entry.at);
    this.runSince = this.flow.createdAt;
    this.append(incarnation, text, {}, entry);
  }

  /** @param change undefined: it does not reach the row */
  append(incarnation: Incarnation, text: string, change: Partial<TaskflowRow> | undefined, entry = decodeEntry(text)): void {
    this.#checkWriter(incarnation, entry);
    this.texts.push(text);
    this.entries.push(entry);
    for (const fact of entry.facts) this.#take(fact, entry.at);
    this.flow.revision = this.texts.length;
    Object.assign(this.row, change);
    this.roomSince = this.world.agenda.time;
    this.storedAt = this.world.agenda.time;
    this.#checkCommit(change !== undefined);
  }

  /** An owner's first entry says that it is that; from then on nobody before it stores anything. */
  #checkWriter(incarnation: Incarnation, { facts }: Entry): void {
    if (incarnation === this.driver) return;
    const first = facts[0];
    if (first?.kind !== "owned")
      return this.world.report(
        31,
        `${incarnation.owner} writes ${this.taskflowId}, which is in the care of ${this.driver.owner}`,
      );
    if (incarnation.owner !== this.driver.owner) this.world.count("world: taken over by another coordinator");
    if (this.driver.isAlive) this.world.count("world: taken over from a coordinator that is still there");
    this.driver = incarnation;
    this.drivenSince = this.world.agenda.time;
  }

  /** Somebody claims it, and has been at that since. */
  taken(incarnation: Incarnation, before: string | null, since: number): void {
    const { world } = this;
    const owner = world.fleet.incarnations.find((one) => one.owner === before);
    // What a former life under this name left is not the new one's before that has started,
    // unless it has claimed it.
    const isItsOwn = owner?.hasStarted || owner === this.holder;
    if (owner && isItsOwn && owner !== incarnation && !owner.isStopping && owner.heldUntil > world.agenda.time)
      world.report(
        31,
        `${incarnation.owner} takes ${this.taskflowId} from ${before}, whose lease has ${owner.heldUntil - world.agenda.time} ms left`,
      );
    if (incarnation.isStopping && since - incarnation.stoppingAt > 150 && incarnation.thawedAt < since - 150)
      world.report(32, `${incarnation.owner}, which is to end, takes ${this.taskflowId}`);
    world.note(() => `    ${incarnation.owner} claims ${this.taskflowId} of ${before ?? "nobody"}`);
    this.interrupt();
    this.holder = incarnation;
    this.lastAnnounced.delete(incarnation);
    this.ownedAt = world.agenda.time;
    for (const other of world.fleet.incarnations) {
      if (other === incarnation) continue;
      for (const key of other.outstanding.keys()) if (key.startsWith(`${this.taskflowId}:`)) other.outstanding.delete(key);
    }
  }

  /** Somebody takes it although it is finished; its end may be announced once more. */
  reopened(incarnation: Incarnation): void {
    this.world.note(() => `    ${incarnation.owner} takes ${this.taskflowId}, which is finished`);
    this.lastAnnounced.delete(incarnation);
    this.mayRepeat.add(incarnation);
    this.holder = incarnation;
    this.ownedAt = this.world.agenda.time;
  }

  #take(fact: Fact, at: number): void {
    const { flow, world } = this;
    this.#countFact(fact);
    const changesNothing = CHANGES_NOTHING.has(fact.kind) || (fact.kind === "flow" && fact.run === true);
    if (isFinished(flow.status) && !changesNothing)
      world.report(11, `${this.taskflowId} is ${flow.status}, and ${fact.kind} is stored`);
    if (fact.kind !== "created") {
      this.#checkFact(fact, at);
      apply(flow, fact, at);
    }
    this.decisions.take(fact);
    if (isEvent(fact)) {
      this.events.push(expectedEvent(flow, fact, this.events.length + 1, at));
      this.storedBy.push(this.driver);
    }
    if (flow.seq !== this.events.length)
      world.report(12, `${this.taskflowId} is at seq ${flow.seq} after ${this.events.length} events`);
    world.note(
      () =>
        `    stored ${this.taskflowId} ${flow.seq}: ${JSON.stringify({ ...fact, definition: undefined, defaults: undefined })}`,
    );
  }

  #checkFact(fact: Exclude<Fact, { kind: "created" }>, at: number): void {
    const { flow, world } = this;
    switch (fact.kind) {
      case "owned":
        if (fact.fence <= this.#highestFence) world.report(26, `fence ${fact.fence} follows ${this.#highestFence}`);
        this.#highestFence = fact.fence;
        return;
      case "flow":
        if (fact.run) this.runSince = at;
        if (isFinished(fact.status) && flow.stages.some((stage) => stage.status === "RUNNING"))
          world.report(12, "the taskflow ends before its stage");
        return;
      case "stage":
        return this.#checkStage(fact.stage, fact.status);
      case "paused":
      case "annotated":
      case "command-handled":
      case "child-ended":
      case "child-abandoned":
      case "compensating":
      case "compensated":
      // No commit stores one.
      case "compacted":
        return;
      default:
        return this.#checkTask(this.taskOf(fact.task), flow.tasks[fact.task] as Task, fact, at);
    }
  }

  #checkStage(index: number, status: string): void {
    const { flow, world } = this;
    const stage = flow.stages[index];
    if (!stage) return;
    if (status !== "RUNNING") {
      const open = stage.tasks.filter((task) => !isSettled(task.status));
      if (open.length > 0 && !flow.aborting && !this.decisions.haveAny)
        world.report(12, `stage ${stage.name} ends before ${open.length} of its tasks`);
      if (open.some((task) => task.status === "RUNNING")) world.report(12, `stage ${stage.name} ends while a task of it runs`);
      return;
    }
    for (const before of flow.stages.slice(0, index)) {
      const isOpen = before.tasks.some((task) => !isSettled(task.status) && (task.open || !this.decisions.haveAny));
      if (isOpen) world.report(5, `stage ${stage.name} is entered while a task of stage ${before.name} is open`);
    }
    const now = this.entries.at(-1)?.at ?? 0;
    for (const ordinal of this.plan.stages[index] ?? []) {
      const task = this.taskOf(ordinal);
      task.dueSince = now;
      task.openSince = world.agenda.time;
    }
  }

  #checkTask(task: TaskRecord, before: Task, fact: Extract<Fact, { task: number }>, at: number): void {
    if (fact.kind === "late-response") return checkLate(this, task, before, fact);
    const isDecision = fact.kind === "reset" || fact.kind === "updated" || (fact.kind === "settled" && fact.reason !== undefined);
    if (isSettled(before.status) && !isDecision)
      this.world.report(11, `task ${fact.task} is ${before.status}, and ${fact.kind} is stored`);
    switch (fact.kind) {
      case "started":
        checkStarted(this, task, before, fact, at);
        task.attempts.push(new AttemptRecord(fact.attempt, at, this.world.agenda.time));
        task.openSince = undefined;
        return;
      case "redelivered":
        if (this.flow.status === "PAUSED")
          this.world.report(40, `task ${fact.task} is delivered again, and the taskflow is PAUSED`);
        // Whoever has stored it was told so: it holds for those after it too.
        if (task.latest) task.latest.cleared = Math.max(task.latest.cleared, task.latest.nevers.get(this.driver) ?? 0);
        task.openSince = undefined;
        return;
      case "withdrawn":
      case "undelivered":
        checkReturned(this, task, before, fact.kind, at);
        if (fact.kind === "withdrawn") task.attempts.pop();
        task.openSince = this.world.agenda.time;
        return;
      case "accepted":
        // It is as old as the call that was not turned away.
        if (task.latest) task.latest.bornAt = task.latest.sentAt ?? task.latest.bornAt;
        if (task.latest) task.latest.startedAt = fact.sentAt;
        return;
      case "delayed":
        this.#forgetDelivery(task);
        checkDelayed(this, task, before, fact, at);
        task.retryAt = fact.retryAt;
        return;
      case "settled":
        this.#forgetDelivery(task);
        checkSettled(this, task, before, fact, at);
        task.openSince = undefined;
        return;
      case "reset":
        // A success that somebody wants again, and an outcome that nobody could tell of a task
        // that somebody named.
        if (fact.follows && before.status !== "WAITING" && before.status !== "CANCELLED")
          this.world.report(42, `task ${fact.task} follows in a retry, and is ${before.status}`);
        task.isForced ||= isSettled(before.status) && (fact.inDoubt === "verify" || isDone(before.status));
        task.reset();
        if (before.stage.status === "RUNNING" && !before.open) task.dueSince = at;
        return;
      case "selected":
        task.isForced ||= fact.named === true;
        if (before.stage.status === "RUNNING" && !before.open) task.dueSince = at;
        return;
      case "updated":
        task.plan = { ...task.plan, options: within(task.plan.options, fact.options) };
        return;
      default:
      // Nested taskflows are not simulated.
    }
  }

  /** Nobody waits for the answer any more. */
  #forgetDelivery({ plan, latest }: TaskRecord): void {
    if (latest) this.driver.outstanding.delete(`${this.taskflowId}:${taskId(this.flow.idBase, plan.ordinal)}:${latest.number}`);
  }

  #checkCommit(isRowWritten: boolean): void {
    const { flow, world } = this;
    try {
      assertFlow(flow);
    } catch (error) {
      world.report(15, (error as Error).message);
    }
    checkDue(this);
    if (isRowWritten && this.row.owner === null && !world.isUnheard)
      world.report(25, `${this.taskflowId} is written, and its row says that it is nobody's`);
    if (isRowWritten) this.checkRow();
    else if (isFinished(flow.status)) world.count("world: row does not say that it is finished");
  }

  checkRow(): void {
    const { flow, row, world } = this;
    if (row.status !== flow.status || row.finishedAt !== flow.finishedAt || row.startedAt !== flow.startedAt) {
      world.report(25, `${this.taskflowId} is ${flow.status}, its row ${JSON.stringify(row)}`);
    }
    if (isFinished(flow.status) && row.errorType !== (flow.error?.type ?? firstErrorType(flow))) {
      world.report(25, `${this.taskflowId} ended with ${flow.error?.type}, its row says ${row.errorType}`);
    }
  }

  taskOf(ordinal: number): TaskRecord {
    return this.tasks[ordinal] as TaskRecord;
  }

  /** A coordinator may not know what became of what it had under way. */
  interrupt(): void {
    for (const { latest } of this.tasks) if (latest) latest.interrupted = true;
  }

  #countFact(fact: Fact): void {
    const { statistics } = this.world;
    const kind =
      fact.kind === "flow" || fact.kind === "stage" || fact.kind === "settled" ? `${fact.kind} ${fact.status}` : fact.kind;
    statistics.count(`fact: ${kind}`);
    if ("error" in fact && fact.error) {
      const isPast = fact.kind === "flow" && fact.error.type === "MAX_AGE_EXCEEDED";
      statistics.count(isPast ? "fact: taskflow past its maxAge" : `fact: error ${fact.error.type}`);
    }
    if (fact.kind !== "settled") return;
    if (fact.blocks) statistics.count("fact: blocking failure");
    if (fact.abort) statistics.count("fact: abort of the taskflow");
  }
}

const isDone = (status: Task["status"]): boolean => status === "SUCCESS" || status === "SKIPPED";

function firstErrorType(flow: Flow): string | null {
  return flow.tasks.find((task) => task.status === "FAILED")?.error?.type ?? null;
}
