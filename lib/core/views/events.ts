/**
 * Events of a taskflow as JSON text. What is the same from one event to the next is encoded once: each task and stage has a fragment that
 * lives until it changes, and the events of one commit share one tree, the taskflow after that commit.
 */
import { compensationOf, flowCompensationOf, isTouched, progressOf, taskflowDetails } from "./details.ts";
import type { Fact } from "../journal/facts.ts";
import { type Flow, type Stage, type Task, taskAt } from "../model/flow.ts";
import { stageId, taskId } from "../model/ids.ts";
import { AWAITING_DECISION } from "../model/values.ts";

/** One event as JSON, in two pieces: the events of one commit end alike, so that a bus may encode that piece once. */
export class EventText {
  readonly taskflowId: string;
  readonly seq: number;
  /** Of the Moleculer event: `task.success`, `stage.running`, `flow.completed`. */
  readonly topic: string;
  /** What is its own: all before `taskflowObject`. */
  readonly own: string;
  /** What it shares with the events of the same commit. */
  readonly shared: string;
  /** Of a Moleculer event beside it, with the same text. */
  readonly also: string | undefined;

  constructor(taskflowId: string, seq: number, { topic, also }: Description, own: string, shared: string) {
    this.taskflowId = taskflowId;
    this.seq = seq;
    this.topic = topic;
    this.own = own;
    this.shared = shared;
    this.also = also;
  }

  get text(): string {
    return this.own + this.shared;
  }
}

/** No task's fragment is shorter than this, so the size of a large tree need not be found out by writing it. */
const SHORTEST_TASK = 80;

export class EventWriter {
  readonly #flow: Flow;
  readonly #limit: number;
  readonly #tasks: (string | undefined)[] = [];
  readonly #stages: (string | undefined)[] = [];

  /** @param limit bytes from which a state tree gives way to counts */
  constructor(flow: Flow, limit: number) {
    this.#flow = flow;
    this.#limit = limit;
  }

  /**
   * The events of facts that were stored together; the taskflow stands as they left it.
   * @param firstSeq `seq` of the first of them
   */
  write(facts: readonly Fact[], at: number, firstSeq: number): EventText[] {
    this.#forget(facts);
    const { taskflowId } = this.#flow;
    const shared = sharedPiece(this.tree());
    const events: EventText[] = [];
    const attempts = attemptsAt(facts);
    let seq = firstSeq;
    for (const [index, fact] of facts.entries()) {
      const subject = describe(this.#flow, fact, attempts?.[index]);
      if (!subject) continue;
      events.push(new EventText(taskflowId, seq, subject, ownPiece(subject, taskflowId, seq, at), shared));
      seq++;
    }
    return events;
  }

  /** Changes were stored whose events nobody asked for: what is kept of them is outdated. */
  skip(): void {
    this.#tasks.length = 0;
    this.#stages.length = 0;
  }

  /** Event 1: to be written before anything else of the taskflow is decided. */
  creation(at: number): EventText {
    const { taskflowId } = this.#flow;
    return new EventText(taskflowId, 1, CREATION, ownPiece(CREATION, taskflowId, 1, at), sharedPiece(this.tree()));
  }

  #forget(facts: readonly Fact[]): void {
    for (const fact of facts) {
      if ("task" in fact) {
        const changed = taskAt(this.#flow, fact.task);
        // What undoes a task is told of in that task.
        const told = changed?.undoes ?? changed;
        if (!told) continue;
        this.#tasks[told.ordinal] = undefined;
        this.#stages[told.stage.index] = undefined;
      } else if (fact.kind === "compensating" || fact.kind === "compensated") {
        this.skip();
      } else if (fact.kind === "stage") this.#stages[fact.stage] = undefined;
    }
  }

  /** `taskflowObject`: the taskflow as it is, as far as its option `eventTree` tells of it. */
  tree(): string {
    const flow = this.#flow;
    if (flow.options.eventTree === "full") return JSON.stringify(taskflowDetails(flow));
    if (flow.options.eventTree === "none") {
      return `{"taskflowId":"${flow.taskflowId}","name":${JSON.stringify(flow.name)},"status":"${flow.status}","retryAttempt":${flow.retryAttempt},"revision":${flow.revision},"progress":${progressOf(flow)}}`;
    }
    const head =
      `{"taskflowId":"${flow.taskflowId}","name":${JSON.stringify(flow.name)},"status":"${flow.status}",` +
      (flow.statusReason === null ? "" : `"statusReason":${JSON.stringify(flow.statusReason)},`) +
      `"retryAttempt":${flow.retryAttempt},"revision":${flow.revision},"progress":${progressOf(flow)}` +
      (flow.startedAt === null ? "" : `,"startedAt":${flow.startedAt}`) +
      (flow.finishedAt === null ? "" : `,"finishedAt":${flow.finishedAt}`) +
      (flow.error ? `,"error":${JSON.stringify(flow.error)}` : "") +
      (flow.undo.status === "WAITING" ? "" : `,"compensation":${JSON.stringify(flowCompensationOf(flow))}`);
    if (flow.tasks.length * SHORTEST_TASK <= this.#limit) {
      const whole = `${head},"stages":{${flow.stages.map((stage) => this.#stage(stage)).join(",")}}}`;
      if (whole.length <= this.#limit) return whole;
    }
    return `${head},"truncated":true,"counts":${JSON.stringify(countTasks(flow))}}`;
  }

  #stage(stage: Stage): string {
    const known = this.#stages[stage.index];
    if (known !== undefined) return known;
    const tasks = stage.tasks.map((task) => (this.#tasks[task.ordinal] ??= taskFragment(this.#flow, task)));
    const id = stageId(this.#flow.idBase, stage.index);
    return (this.#stages[stage.index] = flat([
      '"',
      id,
      '":{"name":',
      JSON.stringify(stage.name),
      ',"status":"',
      stage.status,
      '","tasks":{',
      tasks.join(","),
      "}}",
    ]));
  }
}

/** One piece of memory. What `+` puts together stays a tree of its parts, which live as long as it does and are gone through each time that it is written. */
const flat = (parts: readonly string[]): string => parts.join("");

function taskFragment(flow: Flow, task: Task): string {
  const { definition, status, attempt, response, error, undo } = task;
  const parts = [
    '"',
    taskId(flow.idBase, task.ordinal),
    '":{"name":',
    JSON.stringify(definition.name),
    ',"status":"',
    status,
    '"',
  ];
  if (status === "WAITING" && task.retryAt !== null) parts.push(',"statusReason":"RETRY_DELAY"');
  parts.push(',"attempt":', String(attempt));
  if (response !== null) parts.push(',"response":', response);
  if (error !== null) parts.push(',"error":', JSON.stringify(error));
  if (undo && isTouched(undo)) parts.push(',"compensation":', JSON.stringify(compensationOf(undo)));
  parts.push("}");
  return flat(parts);
}

/** Tasks by status, from the counts of the stages: as cheap in a large taskflow as in a small one. */
function countTasks(flow: Flow): Record<string, number> {
  let settled = 0;
  let success = 0;
  let failed = 0;
  let running = 0;
  for (const { count } of flow.stages) {
    settled += count.settled;
    success += count.success;
    failed += count.failed;
    running += count.running;
  }
  return {
    WAITING: flow.tasks.length - settled - running,
    RUNNING: running,
    SUCCESS: success,
    FAILED: failed,
    SKIPPED: settled - success - failed,
  };
}

/** An event's text is these two, one after the other. */
export function ownPiece({ type, data }: Description, taskflowId: string, seq: number, at: number): string {
  return `{"eventType":"${type}","seq":${seq},"timestamp":${at},"data":{"taskflowId":"${taskflowId}",${data}`;
}

export function sharedPiece(tree: string): string {
  return `,"taskflowObject":${tree}}}`;
}

interface Description {
  readonly type: "TASK" | "STAGE" | "TASKFLOW";
  readonly topic: string;
  readonly also?: string;
  /** Members of `data` between the taskflow's id and its tree. */
  readonly data: string;
}

const topics = { task: new Map<string, string>(), stage: new Map<string, string>(), flow: new Map<string, string>() };

/** One text for each, which whoever looks it up need not hash again. */
function topicOf(subject: keyof typeof topics, status: string): string {
  let topic = topics[subject].get(status);
  if (topic === undefined) topics[subject].set(status, (topic = `${subject}.${status.toLowerCase()}`));
  return topic;
}

const CREATION: Description = { type: "TASKFLOW", topic: "flow.waiting", data: '"taskflowStatus":"WAITING"' };

const describeTask = (
  flow: Flow,
  fact: { task: number },
  attempt: number,
  status: string,
  response: string,
  error?: unknown,
): Description => {
  const task = taskAt(flow, fact.task);
  const stage = (task?.undoes ?? task)?.stage.index ?? 0;
  const undoes = task?.undoes ? `,"compensates":"${taskId(flow.idBase, task.undoes.ordinal)}"` : "";
  const failed = error === undefined ? "" : `,"error":${JSON.stringify(error)}`;
  return {
    type: "TASK",
    topic: topicOf("task", status),
    data: `"attempt":${attempt},"stageId":"${stageId(flow.idBase, stage)}","taskId":"${taskId(flow.idBase, fact.task)}","taskStatus":"${status}","taskResponse":${response}${failed}${undoes}`,
  };
};

/** At each fact the attempt at which its task stood, where its next one began in the same commit; undefined if no task is to run again in it. */
function attemptsAt(facts: readonly Fact[]): (number | undefined)[] | undefined {
  if (!facts.some(({ kind }) => kind === "reset")) return undefined;
  const before = new Map<number, number>();
  const attempts: (number | undefined)[] = [];
  for (let index = facts.length - 1; index >= 0; index--) {
    const fact = facts[index] as Fact;
    if (!("task" in fact)) continue;
    attempts[index] = before.get(fact.task);
    if (fact.kind === "started") before.set(fact.task, Math.max(0, fact.attempt - 1));
  }
  return attempts;
}

const attemptOf = (flow: Flow, task: number): number => taskAt(flow, task)?.attempt ?? 0;

/**
 * What a fact says to subscribers; undefined if it is no event.
 * @param at the attempt of its task by then, if the flow has gone on since
 */
export function describe(flow: Flow, fact: Fact, at?: number): Description | undefined {
  switch (fact.kind) {
    case "created":
      return CREATION;
    case "flow":
      return {
        type: "TASKFLOW",
        topic: topicOf("flow", fact.status),
        ...(fact.status === "PAUSED" && fact.reason === AWAITING_DECISION ? { also: "decision.needed" } : {}),
        data: `"taskflowStatus":"${fact.status}"`,
      };
    case "stage":
      return {
        type: "STAGE",
        topic: topicOf("stage", fact.status),
        data: `"stageId":"${stageId(flow.idBase, fact.stage)}","stageStatus":"${fact.status}"`,
      };
    case "started":
      return describeTask(flow, fact, fact.attempt, "RUNNING", "null");
    case "withdrawn":
      return describeTask(flow, fact, fact.attempt, "WAITING", "null");
    case "delayed":
      return describeTask(flow, fact, at ?? attemptOf(flow, fact.task), "WAITING", fact.response ?? "null", fact.error);
    case "settled":
      return describeTask(flow, fact, at ?? attemptOf(flow, fact.task), fact.status, fact.response ?? "null", fact.error);
    case "reset":
      return describeTask(flow, fact, at ?? attemptOf(flow, fact.task), "WAITING", "null");
    default:
      return undefined;
  }
}
