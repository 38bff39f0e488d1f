/**
 * How a coordinator's question fares: it is asked again and again until somebody answers or its
 * patience is over.
 */
import { taskOrdinalOf } from "../../lib/core/model/ids.ts";
import type { OutcomeReply } from "../../lib/core/execution/inputs.ts";
import type { OutcomeQuery } from "../../lib/ports/dispatch.ts";
import type { AttemptRecord } from "./attempt.ts";
import type { Incarnation } from "./incarnation.ts";
import type { FlowRecord, TaskRecord } from "./record.ts";
import type { WorkerBus } from "./worker-bus.ts";
import type { World } from "./world.ts";

const LONGEST_PAUSE_MS = 4_000;

/** What is asked about. */
export interface Subject {
  readonly record: FlowRecord;
  readonly task: TaskRecord;
  readonly attempt: AttemptRecord;
}

export function subjectOf(world: World, key: string): Subject | undefined {
  const [, taskflowId = "", id = "", number] = /^(.+):([^:]+):(\d+)$/.exec(key) ?? [];
  const record = world.store.records.get(taskflowId);
  const ordinal = record && taskOrdinalOf(record.flow.idBase, id);
  const task = ordinal === undefined ? undefined : record?.taskOf(ordinal);
  const attempt = task?.attempts[Number(number)];
  return record && task && attempt ? { record, task, attempt } : undefined;
}

/** Returns what ends it without a reply. */
export function ask(
  bus: WorkerBus,
  incarnation: Incarnation,
  question: OutcomeQuery,
  done: (reply: OutcomeReply) => void,
): () => void {
  const { world } = incarnation;
  const { agenda } = world;
  const subject = subjectOf(world, question.key);
  if (!subject) {
    // A commit that lands late may withdraw an attempt that its coordinator has just read.
    if (!world.landedLate) world.report(33, `${question.key} is asked about, and not stored`);
    return () => {};
  }
  const { attempt, task } = subject;
  const age = agenda.time - attempt.bornAt;
  if (question.ageMs < age && !world.wentBack)
    world.report(33, `${question.key} is said to be ${question.ageMs} ms old; it is ${age}`);
  if (question.patienceMs < (task.plan.options.exactlyOnceTaskExecution ? 10_000 : 1_000))
    world.report(33, `${question.key} is asked about for ${question.patienceMs} ms only`);
  world.note(() => `    asks about ${question.key} delivery ${question.delivery} at ${question.node}`);
  const open = { incarnation };
  attempt.asking.add(open);
  attempt.askedAt = agenda.time;
  const until = agenda.time + question.patienceMs;
  const firstSent = world.wentBack ? attempt.bornAt : agenda.time - question.ageMs;
  let pause = 200;
  let isOver = false;

  const tell = (reply: OutcomeReply): void =>
    incarnation.reach(() => {
      if (isOver) return;
      isOver = true;
      attempt.asking.delete(open);
      heard(incarnation, subject, question, reply);
      done(reply);
    });
  const again = (): void => {
    if (isOver) return;
    if (agenda.time + pause >= until) return void agenda.in(until - agenda.time, () => tell({ kind: "silent" }));
    agenda.in(pause, round);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  };
  const round = (): void => {
    if (isOver || !incarnation.isAlive) return;
    if (incarnation.isCutOff || !bus.isServed(question.target) || world.strikes("question lost")) return again();
    agenda.in(world.delay(), () => {
      const ledger = bus.nodes.ledgerOf(question.node);
      if (ledger && world.strikes("ledger forgets")) ledger.forget(agenda.time);
      const isRefusing = !world.mutations.has("never does not refuse");
      const reply: OutcomeReply = ledger?.ask(question.key, question.delivery, firstSent, isRefusing) ?? { kind: "silent" };
      const late = world.strikes("reply to a question late") ? world.random.int(0, 3_000) : 0;
      const comesAt = Math.min(agenda.time + world.delay() + late, until);
      agenda.in(comesAt - agenda.time, () => {
        if (incarnation.isCutOff || world.strikes("reply to a question lost")) again();
        else tell(reply);
      });
    });
  };
  agenda.in(1, round);
  return () => {
    isOver = true;
    attempt.asking.delete(open);
  };
}

/** A coordinator knows now. */
function heard(
  incarnation: Incarnation,
  { attempt, task, record }: Subject,
  { key, delivery, node }: OutcomeQuery,
  reply: OutcomeReply,
): void {
  const { world } = incarnation;
  world.count(`input: reply ${reply.kind}`);
  world.note(() => `  ${key} delivery ${delivery}: ${JSON.stringify(reply)} replied`);
  const latest = record.flow.tasks[task.plan.ordinal]?.attempts.at(-1);
  if (record.driver !== incarnation) world.count("input: reply to somebody who is not the owner");
  else if (latest?.attempt === attempt.number && (latest.deliveries !== delivery || latest.nodeID !== node)) {
    world.count("input: reply about an older delivery");
    return;
  }
  attempt.hear(incarnation, { at: world.agenda.time, kind: reply.kind, delivery });
  if (reply.kind === "done") attempt.told.push(reply.outcome);
}
