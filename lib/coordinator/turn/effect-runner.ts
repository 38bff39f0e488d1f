import { currentDefinition, type Flow, latestAttempt, taskAt } from "../../core/model/flow.ts";
import type { Part, Resolution } from "../../core/model/resolution.ts";
import { failure } from "../../core/model/values.ts";
import { executionContext, idempotencyKey, keyOf, metaOf } from "../../core/views/execution-context.ts";
import { requestOf, resolveEvaluated, subjectOf } from "../../definitions/evaluation.ts";
import type { Fact } from "../../core/journal/facts.ts";
import type { Effect } from "../../core/execution/effects.ts";
import { stageId, taskId } from "../../core/model/ids.ts";
import { targetOf } from "../../core/model/task-type.ts";
import { delayAfter } from "../../core/execution/task.ts";
import type { Input, Outcome, OutcomeReply } from "../../core/execution/inputs.ts";
import type { Call } from "../../ports/dispatch.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Sandbox } from "../../ports/sandbox.ts";
import type { KnownTaskTypes } from "../../ports/task-types.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { LateListening, Listening } from "./late-listening.ts";
import type { Resident } from "./resident.ts";
import type { Late, NestedMessenger } from "./effect-handlers.ts";

/** No ledger goes back so far. */
const UNKNOWN_AGE_MS = 10 * 365 * 86_400_000;

/**
 * The age of an attempt. If the clock reads before its start, it was set back and the age is
 * unknown.
 */
const ageOf = (startedAt: number, now: number): number => (now < startedAt ? UNKNOWN_AGE_MS : now - startedAt);

/** How long an answer is listened for at least, from its delivery on: an abort takes its time. */
const LATE_MS = 60_000;

type EffectOf<Kind extends Effect["kind"]> = Extract<Effect, { kind: Kind }>;

export interface EffectRunnerPorts {
  readonly types: KnownTaskTypes;
  readonly clock: Clock;
  readonly sandbox: Sandbox;
  readonly paramsBytes: number;
  readonly dispatcher: Dispatcher;
  /** False while another coordinator may have taken over. */
  readonly hasLease: () => boolean;
  /** Puts an input into the mailbox of a taskflow. */
  readonly give: (resident: Resident, input: Input) => void;
  /** A slot has become free. */
  readonly freed: () => void;
  /** An answer has come for a taskflow that has left. */
  readonly late: Late;
  readonly nested: NestedMessenger;
  readonly listening: LateListening;
}

/**
 * Carries out effects: sends attempts, watches their timeouts, and feeds inputs back at their time.
 */
export class EffectRunner {
  readonly #ports: EffectRunnerPorts;

  constructor(ports: EffectRunnerPorts) {
    this.#ports = ports;
  }

  run(resident: Resident, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === "call") this.#send(resident, effect);
      else if (effect.kind === "query-outcome") this.#queryOutcome(resident, effect);
      else if (effect.kind === "evaluate") this.#evaluate(resident, effect);
      else if (effect.kind === "abort") this.#abort(resident, effect);
      else if (effect.kind === "timer") this.#arm(resident, effect.at, effect.input);
      else if (effect.kind === "send-command") this.#ports.nested.send(resident.flow.taskflowId, effect);
      else void this.#ports.nested.lookAfter(resident, effect.children);
    }
  }

  /** What a stored unit of work means for the attempts that are watched here. */
  stored(resident: Resident, facts: readonly Fact[]): void {
    for (const fact of facts) {
      if (fact.kind === "settled" || fact.kind === "delayed") this.#ended(resident, fact.task);
      else if (fact.kind === "linked") this.#nested(resident, fact.task);
      else if (fact.kind === "child-ended" || fact.kind === "child-abandoned") {
        const child = resident.flow.children.get(fact.child);
        if (child) this.#nested(resident, child.task.ordinal);
      }
    }
  }

  /** The attempt has ended, perhaps otherwise than by the answer to its call. */
  #ended(resident: Resident, task: number): void {
    const pending = resident.pending.get(task);
    if (pending) this.#release(resident, task, pending.attempt);
  }

  /** The handler says that it is still at it: the time of its attempt begins anew. */
  extend(resident: Resident, task: number, attempt: number): void {
    const pending = resident.pending.get(task);
    if (resident.flow.deadlines.has(task)) this.#ports.give(resident, { kind: "heartbeat", task, attempt });
    if (pending?.attempt !== attempt) return;
    pending.cancelTimeout();
    pending.cancelTimeout = pending.watch();
    pending.heardAt = this.#ports.clock.now();
  }

  #arm(resident: Resident, at: number, input: Input): void {
    const { clock, give } = this.#ports;
    const forget = resident.keepTimer(
      clock.at(at, () => {
        forget();
        give(resident, input);
      }),
    );
  }

  #abort({ flow }: Resident, { task: ordinal, attempt, node }: EffectOf<"abort">): void {
    const task = taskAt(flow, ordinal);
    if (task) this.#ports.types.dispatchOf(task).abort(node, keyOf(flow, task, attempt));
  }

  #evaluate(resident: Resident, { part }: EffectOf<"evaluate">): void {
    const { give } = this.#ports;
    const { flow } = resident;
    const definition = part.kind === "task" ? taskAt(flow, part.task)?.definition : undefined;
    const about = { kind: "evaluated", part, retryAttempt: flow.retryAttempt, ...(definition ? { definition } : {}) } as const;
    const failed = (error: unknown): Resolution => ({
      kind: "failed",
      error: failure("EXPRESSION_ERROR", `An expression cannot be computed: ${String(error)}.`),
    });
    void this.#resolutionOf(flow, part)
      .catch(failed)
      .then((resolution) => give(resident, { ...about, resolution }));
  }

  async #resolutionOf(flow: Flow, part: Part): Promise<Resolution> {
    const { types, sandbox, paramsBytes } = this.#ports;
    const subject = subjectOf(flow, part, types);
    const request = requestOf(flow, subject);
    const evaluations = await sandbox.evaluate(request.sources, request.scope);
    return resolveEvaluated(flow, subject, paramsBytes, request, evaluations);
  }

  #queryOutcome(
    resident: Resident,
    { task: ordinal, attempt, delivery, node, process, startedAt, patienceMs, cause }: EffectOf<"query-outcome">,
  ): void {
    const { types, clock, give } = this.#ports;
    const { flow } = resident;
    const task = taskAt(flow, ordinal);
    // A later decision may have made the query pointless; the worker would reject a delivery to
    // come.
    const isOpen = task?.status === "RUNNING" || (task?.inDoubt ?? null) !== null;
    if (!task || !isOpen || task.attempt !== attempt || latestAttempt(task).deliveries !== delivery) return;
    const question = {
      target: targetOf(types, task),
      node,
      ...(process === undefined ? {} : { process }),
      key: idempotencyKey(flow, task),
      delivery,
      ageMs: ageOf(startedAt, clock.now()),
      patienceMs,
    };
    const heard = (reply: OutcomeReply): void => {
      forget();
      const about = { task: ordinal, attempt, delivery, node, startedAt };
      give(resident, { kind: "outcome-reply", ...about, reply, ...(cause ? { cause } : {}) });
    };
    const forget = resident.keepTimer(types.dispatchOf(task).queryOutcome(question, heard));
  }

  #send(resident: Resident, { task: ordinal, attempt, delivery, node }: EffectOf<"call">): void {
    const { types, clock, give, listening: late } = this.#ports;
    const { flow } = resident;
    const task = taskAt(flow, ordinal);
    if (!task) return;
    const dispatch = types.dispatchOf(task);
    const { timeout, exactlyOnceTaskExecution } = task.options;
    const target = targetOf(types, task);
    const key = idempotencyKey(flow, task);
    // An earlier delivery may still be listened to: its answer counts, its slot and timeout do not.
    this.#release(resident, ordinal, attempt);
    const watch = (): (() => void) =>
      clock.after(timeout, () => {
        this.#release(resident, ordinal, attempt);
        // Where its outcome is going to be asked for, the worker is left to it.
        if (!exactlyOnceTaskExecution) dispatch.abort(node, key);
        give(resident, { kind: "timeout", task: ordinal, attempt });
      });
    resident.pending.set(ordinal, {
      attempt,
      delivery,
      cancelTimeout: watch(),
      watch,
      hasSlot: true,
      sentAt: clock.now(),
      heardAt: null,
    });
    const call = {
      target,
      node,
      taskDetails: task.definition.taskDetails,
      params: currentDefinition(task).params ?? {},
      meta: metaOf(flow, task),
      context: executionContext(flow, task, (length) => dispatch.carries(target, node, length)),
      taskflowId: flow.taskflowId,
      stageId: stageId(flow.idBase, task.stage.index),
      taskId: taskId(flow.idBase, ordinal),
      attempt,
      delivery,
      fence: flow.fence,
      idempotencyKey: key,
      listenMs: Math.max(timeout + delayAfter(flow, task), LATE_MS),
    };
    // The commit may have taken longer than the lease was held.
    if (!this.#ports.hasLease()) return this.#answered(resident, call, ordinal, { kind: "not-sent" });
    const answered = (outcome: Outcome): void => {
      resident.forgetListening(listening);
      late.forget(listening);
      this.#answered(resident, call, ordinal, outcome);
    };
    // A fraction would make V8 take the slow path for each of these objects.
    const until = Math.ceil(clock.monotonic()) + Math.max(timeout, LATE_MS);
    const listening: Listening = { task: ordinal, attempt, until, end: dispatch.call(call, answered) };
    resident.keepListening(listening);
  }

  #answered(resident: Resident, { attempt, delivery }: Call, task: number, outcome: Outcome): void {
    const { give, late } = this.#ports;
    const input = { kind: "answer", task, attempt, delivery, outcome } as const;
    if (resident.state === "gone") return late(resident.flow, input);
    // A later delivery of it is still watched.
    if (resident.pending.get(task)?.delivery === delivery) this.#release(resident, task, attempt);
    give(resident, input);
  }

  /** Gives back the slot of an attempt and ends its watch, once. */
  #release(resident: Resident, task: number, attempt: number): void {
    const pending = resident.pending.get(task);
    if (pending?.attempt !== attempt) return;
    pending.cancelTimeout();
    resident.pending.delete(task);
    if (!pending.hasSlot) return;
    this.#ports.dispatcher.release(1);
    this.#ports.freed();
  }

  /**
   * A handler that waits for taskflows of its own takes no slot: they might wait for it otherwise.
   * Once they have ended it takes one again, over the bound if need be.
   */
  #nested(resident: Resident, task: number): void {
    const pending = resident.pending.get(task);
    const hasSlot = (taskAt(resident.flow, task)?.activeChildren ?? 0) === 0;
    if (!pending || pending.hasSlot === hasSlot) return;
    pending.hasSlot = hasSlot;
    this.#ports.dispatcher.release(hasSlot ? -1 : 1);
    if (!hasSlot) this.#ports.freed();
  }
}
