/** What must be in the store at the moment at which a call or an event leaves the coordinator. */
import { isDeepStrictEqual } from "node:util";
import { currentDefinition, isFinished, isSettled } from "../../lib/core/model/flow.ts";
import { hasTemplates } from "../../lib/definitions/expressions/template.ts";
import type { EventMessage } from "../../lib/ports/bus.ts";
import type { Call } from "../../lib/ports/dispatch.ts";
import { withoutResponse, withoutTree } from "./expected-event.ts";
import type { Incarnation } from "./incarnation.ts";
import type { FlowRecord, TaskRecord } from "./record.ts";

export function checkCall(incarnation: Incarnation, record: FlowRecord, task: TaskRecord, call: Call): void {
  const { world, flow } = record;
  const { options, ordinal, stage } = task.plan;
  const what = `delivery ${call.delivery} of ${call.idempotencyKey}`;
  const stored = flow.tasks[ordinal];
  const latest = stored?.attempts.at(-1);
  if (flow.status === "CANCELLED" || stored?.status === "CANCELLED")
    world.report(39, `${what} is sent, and the task is ${stored?.status} and the taskflow ${flow.status}`);
  else if (!stored || isFinished(flow.status) || isSettled(stored.status))
    world.report(7, `${what} is sent, and the task is ${stored?.status}`);
  else if (stored.status !== "RUNNING" || latest?.attempt !== call.attempt)
    world.report(3, `${what} is sent, and the task is ${stored.status} at ${latest?.attempt}`);
  else if (latest.nodeID !== call.node || latest.deliveries !== call.delivery)
    world.report(3, `${what} is sent to ${call.node}; stored are ${latest.nodeID} and ${latest.deliveries}`);
  if (stored && !isDeepStrictEqual(call.params, currentDefinition(stored).params ?? {}))
    world.report(3, `${what} is sent with params that are not stored: ${JSON.stringify(call.params)}`);
  if (hasTemplates(call.params)) world.report(3, `${what} is sent with a template: ${JSON.stringify(call.params)}`);
  if (call.fence < record.callerFence || (record.caller !== incarnation && call.fence <= record.callerFence))
    world.report(26, `${what} has fence ${call.fence}, and an owner before it had ${record.callerFence}`);
  record.caller = incarnation;
  record.callerFence = call.fence;
  if (incarnation.heldUntil <= world.agenda.time)
    world.report(31, `${what} is sent by ${incarnation.owner}, whose lease is over`);
  if (call.fence !== flow.fence) world.report(3, `${what} has fence ${call.fence}; stored is ${flow.fence}`);
  if (
    incarnation.isStopping &&
    world.storesAtOnce &&
    world.agenda.time - Math.max(incarnation.stoppingAt, incarnation.thawedAt) > 150
  )
    world.report(32, `${what} is sent by ${incarnation.owner}, which is to end`);
  for (const before of flow.stages.slice(0, stage)) {
    if (!record.decisions.haveAny && (before.tasks.some(({ status }) => !isSettled(status)) || before.count.blocking > 0))
      world.report(5, `${what} is sent before stage ${before.name} has ended`);
  }
  const left = task.latest?.left ?? 0;
  const refused = task.latest?.nevers.get(incarnation) ?? 0;
  if (
    options.exactlyOnceTaskExecution &&
    left > 0 &&
    (task.latest?.highestLeft ?? 0) > Math.max(refused, task.latest?.cleared ?? 0)
  )
    world.report(8, `${what} is sent, and delivery ${task.latest?.highestLeft} may have left before`);
  // What never left may have been asked about before that was known; the worker refuses it then,
  // and its time runs out.
  if (call.delivery <= refused && !task.latest?.unsent.has(call.delivery))
    world.report(34, `${what} is sent, and "never" was said of delivery ${refused}`);
  if (call.delivery > 5 || left >= 5) world.report(9, `${what} is sent after ${left} deliveries`);
  const { client } = record;
  if (client.times === 1 && client.asked.has(incarnation) && world.faults["commit unsure"] === 0)
    world.report(1, `${what} is sent before produce has answered`);
}

export function checkEvent(incarnation: Incarnation, record: FlowRecord, { text }: EventMessage): void {
  const { world, flow } = record;
  const seq = Number(/"seq":(\d+)/.exec(text)?.[1]);
  const expected = record.events[seq - 1];
  if (expected === undefined) return world.report(4, `event ${seq} is announced; ${record.events.length} are stored: ${text}`);
  const told = withoutTree(text);
  if (told !== expected && told !== withoutResponse(expected))
    return world.report(13, `event ${seq} is announced as ${told}; it should be ${expected}`);
  if (world.looksIntoTrees) checkTree(record, text, seq);
  const before = record.lastAnnounced.get(incarnation) ?? 0;
  if (seq <= before && !record.mayRepeat.delete(incarnation)) world.report(13, `event ${seq} is announced after ${before}`);
  // A coordinator that is frozen behind its commit announces what it stored when it goes on.
  const missing = record.storedBy.slice(record.announcedUpTo, seq - 1);
  if (missing.some((by) => by === incarnation || !by.isAlive))
    world.report(13, `event ${seq} is announced, and nobody has announced ${record.announcedUpTo + 1}`);
  record.lastAnnounced.set(incarnation, seq);
  record.announcedUpTo = Math.max(record.announcedUpTo, seq);
  if (flow.seq < seq) world.report(4, `event ${seq} is announced at seq ${flow.seq}`);
}

interface Tree {
  status: string;
  revision: number;
  stages?: Record<string, { status: string; tasks: Record<string, { status: string; attempt: number; response: unknown }> }>;
}

/** The tree of an event is the taskflow as its commit left it. */
function checkTree(record: FlowRecord, text: string, seq: number): void {
  const { world, flow } = record;
  const tree = (JSON.parse(text) as { data: { taskflowObject: Tree } }).data.taskflowObject;
  const isAsStored = tree.status === flow.status && tree.revision === flow.revision;
  const told =
    tree.stages &&
    Object.values(tree.stages).flatMap((stage) => [
      stage.status,
      ...Object.values(stage.tasks).map((task) => [task.status, task.attempt, task.response]),
    ]);
  const stored = flow.stages.flatMap((stage) => [
    stage.status,
    ...stage.tasks.map((task) => [
      task.status,
      task.attempt,
      task.response === null ? null : (JSON.parse(task.response) as unknown),
    ]),
  ]);
  // The creation's tree was written before anything else of its commit.
  if (seq === 1 || tree.revision < flow.revision) return;
  if (!isAsStored || (told && JSON.stringify(told) !== JSON.stringify(stored))) {
    world.report(
      13,
      `the tree of event ${seq} says ${JSON.stringify({ ...tree, stages: told })}; stored is ${JSON.stringify([flow.status, flow.revision, stored])}`,
    );
  }
}
