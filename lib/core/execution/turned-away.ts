/**
 * Requests that were never sent, or were turned away before they ran: a full worker, a ledger that
 * refuses. Each is sent again after a pause that grows, as the same delivery of the same attempt.
 *
 * The pauses and tries are not stored, and no event announces them: the attempt stays RUNNING. A
 * crash in between costs an outcome query, as for any attempt in flight. Three things are stored:
 *
 * - another node takes over (`undelivered`, `redelivered`), at tries 1, 2, 4, 8 … at most;
 * - the attempt goes back, because no node serves it now, or no attempt may start any more;
 * - the request was accepted after all (`accepted`): the attempt's time counts from there.
 */
import { latestAttempt, type Flow, type Task, taskAt } from "../model/flow.ts";
import { taskId } from "../model/ids.ts";
import { chanceOf } from "./backoff.ts";
import type { Input, OutcomeReply } from "./inputs.ts";
import { isTooOld } from "./max-age.ts";
import { record, type Step } from "./step.ts";

type InputOf<Kind extends Input["kind"]> = Extract<Input, { kind: Kind }>;

const SHORTEST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;

/** A worker that turns a request away does so at once. */
const ACCEPTED_AFTER_MS = 1_000;

/** Plans the next try of a request that was turned away. */
export function tryLater(step: Step, { ordinal, attempt }: Task): void {
  const { flow, now, effects } = step;
  const before = flow.turnedAway.get(ordinal);
  const tries = (before?.tries ?? 0) + 1;
  const longest = Math.min(LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS * 2 ** Math.min(tries, 10));
  const chance = chanceOf(taskId(flow.idBase, ordinal), attempt, tries);
  const at = now + Math.round((longest / 2) * (1 + chance));
  flow.turnedAway.set(ordinal, { tries, resendAt: at, isRefused: before?.isRefused === true });
  effects.push({ kind: "timer", at, input: { kind: "resend", task: ordinal, attempt, at } });
}

/** The pause is over: its request is due. */
export function resend(step: Step, { task: ordinal, attempt, at }: InputOf<"resend">): void {
  const { flow } = step;
  const task = taskAt(flow, ordinal);
  const isCurrent = flow.turnedAway.get(ordinal)?.resendAt === at;
  if (isCurrent && task?.attempt === attempt && isHeld(flow, task)) flow.repeats.add(ordinal);
}

/** The attempt runs nowhere: its request waits for its next try. */
export function isHeld(flow: Flow, task: Task): boolean {
  return task.status === "RUNNING" && (flow.turnedAway.get(task.ordinal)?.resendAt ?? null) !== null;
}

/** Whether nothing of the attempt can run anywhere, so that it may be taken back. */
export function isRevocable(flow: Flow, task: Task): boolean {
  return isHeld(flow, task) && latestAttempt(task).deliveries === 1;
}

/** Whether it has attempts that may be taken back. */
export function hasRevocable(flow: Flow): boolean {
  return Array.from(flow.turnedAway.keys()).some((ordinal) => isRevocable(flow, taskAt(flow, ordinal) as Task));
}

/** The attempt, or this delivery of it, was never made. Does not end the stage. */
export function takeBack(step: Step, task: Task): void {
  const { attempts, ordinal } = task;
  const isFirst = latestAttempt(task).deliveries === 1;
  if (isFirst) record(step, { kind: "withdrawn", task: ordinal, attempt: attempts.at(-2)?.attempt ?? 0 });
  else record(step, { kind: "undelivered", task: ordinal });
}

/** Takes back all attempts of these tasks that run nowhere. */
export function takeBackHeld(step: Step, tasks: Iterable<Task>): void {
  if (step.flow.turnedAway.size === 0) return;
  for (const task of tasks) if (isRevocable(step.flow, task)) takeBack(step, task);
}

/**
 * The node for the next try of a request that was turned away; undefined: the router chooses. A
 * first delivery may move to a node that has room. Moving is stored, and so becomes rarer.
 */
export function preferredNode({ turnedAway }: Flow, task: Task): string | undefined {
  const { nodeID, deliveries } = latestAttempt(task);
  const tries = turnedAway.get(task.ordinal)?.tries;
  const mayMove = tries !== undefined && deliveries === 1 && Number.isInteger(Math.log2(tries));
  return mayMove ? undefined : (nodeID ?? undefined);
}

/**
 * Takes the reply to a question that was put before the request was turned away; true if that makes
 * it outdated.
 */
export function isOutdatedReply({ turnedAway }: Flow, { ordinal }: Task, reply: OutcomeReply): boolean {
  const held = turnedAway.get(ordinal);
  if (!held || reply.kind === "done") return false;
  if (reply.kind === "never") turnedAway.set(ordinal, { ...held, isRefused: true });
  return true;
}

/** Makes the same delivery once more. Records nothing, unless it moves to another node. */
export function prepareResend(step: Step, task: Task, node: string, at: { readonly process?: string }): void {
  const { flow, now, effects } = step;
  const { ordinal } = task;
  const { attempt, deliveries, nodeID } = latestAttempt(task);
  const tries = flow.turnedAway.get(ordinal)?.tries ?? 0;
  if (node !== nodeID) {
    record(step, { kind: "undelivered", task: ordinal });
    record(step, { kind: "redelivered", task: ordinal, node, ...at });
  }
  flow.repeats.delete(ordinal);
  flow.turnedAway.set(ordinal, { tries, resendAt: null, isRefused: false });
  const input = { kind: "accepted", task: ordinal, attempt, delivery: deliveries, tries, sentAt: now } as const;
  effects.push({ kind: "timer", at: now + ACCEPTED_AFTER_MS, input });
}

/** It was sent a while ago and has not come back. */
export function accept(step: Step, { task: ordinal, attempt, delivery, tries, sentAt }: InputOf<"accepted">): void {
  const { flow } = step;
  const task = taskAt(flow, ordinal);
  const held = flow.turnedAway.get(ordinal);
  if (task?.status !== "RUNNING" || task.attempt !== attempt || held?.tries !== tries || held.resendAt !== null) return;
  if (latestAttempt(task).deliveries === delivery) record(step, { kind: "accepted", task: ordinal, sentAt });
}

/** Whether the request of a held task is no longer wanted: no attempt of it may start. */
export function isUnwanted(step: Step, task: Task): boolean {
  return isRevocable(step.flow, task) && (step.flow.aborting || isTooOld(step.flow, task, step.now));
}

/** Hands what is known of requests that wait on to another state of the same taskflow. */
export function keepTurnedAway(from: Flow, to: Flow): void {
  for (const [ordinal, held] of from.turnedAway) {
    const before = taskAt(from, ordinal)?.attempts.at(-1);
    const after = taskAt(to, ordinal)?.attempts.at(-1);
    const isSame =
      before?.attempt === after?.attempt && before?.startedAt === after?.startedAt && before?.nodeID === after?.nodeID;
    if (held.resendAt !== null && isSame && before?.deliveries === after?.deliveries && after?.status === "RUNNING")
      to.turnedAway.set(ordinal, held);
  }
}
