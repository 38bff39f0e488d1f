/**
 * Events of a taskflow as JSON text. Unchanged parts are encoded once: each task and stage has a
 * fragment that lives until it changes, and the events of one commit share one tree, the taskflow
 * after that commit.
 */
import { compensationOf, flowCompensationOf, isTouched, progressOf, taskflowDetails } from "./details.ts";
import type { Fact } from "../journal/facts.ts";
import { type Flow, type Stage, type Task, taskAt } from "../model/flow.ts";
import { BoundedMap } from "../../util/bounded-map.ts";
import { stageId, taskId } from "../model/ids.ts";
import { AWAITING_DECISION } from "../model/values.ts";

/**
 * One event as JSON, in two pieces: a bus can encode the piece that a commit's events share once.
 */
export class EventText {
  readonly taskflowId: string;
  readonly seq: number;
  /** Name of the Moleculer event: `task.success`, `stage.running`, `flow.completed`. */
  readonly topic: string;
  /** The event's own piece: everything before `taskflowObject`. */
  readonly own: string;
  /** The piece that it shares with the events of the same commit. */
  readonly shared: string;
  /** Topic of a second Moleculer event with the same text. */
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

/** No task's fragment is shorter, so a tree that is certainly too large is never encoded. */
const SHORTEST_TASK = 80;

export class EventWriter {
  readonly #flow: Flow;
  readonly #limit: number;
  readonly #tasks: (string | undefined)[] = [];
  readonly #stages: (string | undefined)[] = [];

  /** @param limit length above which counts replace the state tree */
  constructor(flow: Flow, limit: number) {
    this.#flow = flow;
    this.#limit = limit;
  }

  /**
   * The events of one commit. The taskflow must be in the state that the commit left.
   * @param firstSeq `seq` of the first event
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
      events.push(new EventText(taskflowId, seq, subject, ownPiece(subject, this.#flow, seq, at), shared));
      seq++;
    }
    return events;
  }

  /** Drops all fragments: changes were stored for which no events were written. */
  skip(): void {
    this.#tasks.length = 0;
    this.#stages.length = 0;
  }

  /** Event 1. Must be written before any further decision about the taskflow. */
  creation(at: number): EventText {
    const { taskflowId } = this.#flow;
    return new EventText(taskflowId, 1, CREATION, ownPiece(CREATION, this.#flow, 1, at), sharedPiece(this.tree()));
  }

  #forget(facts: readonly Fact[]): void {
    for (const fact of facts) {
      if ("task" in fact) {
        const changed = taskAt(this.#flow, fact.task);
        // A compensation is part of the fragment of the task it undoes.
        const owner = changed?.undoes ?? changed;
        if (!owner) continue;
        this.#tasks[owner.ordinal] = undefined;
        this.#stages[owner.stage.index] = undefined;
      } else if (fact.kind === "compensating" || fact.kind === "compensated") {
        this.skip();
      } else if (fact.kind === "stage") this.#stages[fact.stage] = undefined;
    }
  }

  /** `taskflowObject`: the current state, in the detail that the option `eventTree` chooses. */
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

/**
 * One flat string. `+` would build a rope, which keeps its parts alive and is traversed each time
 * it is written.
 */
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

/**
 * Tasks by status, from the counts of the stages: the cost does not depend on the number of tasks.
 */
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

/** The text of an event is its own piece followed by the shared piece. */
export function ownPiece({ type, data }: Description, { taskflowId, createdAt }: Flow, seq: number, at: number): string {
  return `{"eventType":"${type}","seq":${seq},"timestamp":${at},"data":{"taskflowId":"${taskflowId}","createdAt":${createdAt}${data === "" ? "" : `,${data}`}`;
}

export function sharedPiece(tree: string): string {
  return `,"taskflowObject":${tree}}}`;
}

interface Description {
  readonly type: "TASK" | "STAGE" | "TASKFLOW" | "SNAPSHOT";
  readonly topic: string;
  readonly also?: string;
  /** Members of `data` between the taskflow's id and its tree. */
  readonly data: string;
}

const topics = { task: new Map<string, string>(), stage: new Map<string, string>(), flow: new Map<string, string>() };

/** One string per topic, so that lookups by it need not hash it again. */
function topicOf(subject: keyof typeof topics, status: string): string {
  let topic = topics[subject].get(status);
  if (topic === undefined) topics[subject].set(status, (topic = `${subject}.${status.toLowerCase()}`));
  return topic;
}

const CREATION: Description = { type: "TASKFLOW", topic: "flow.waiting", data: '"taskflowStatus":"WAITING"' };

const names = new BoundedMap<string, string>(1_000);

/** The JSON text of a name; the same few recur. */
const quoted = (name = ""): string => names.getOrMake(name, JSON.stringify);

/** All changes up to its `seq`, which are no longer told apart. */
export const SNAPSHOT: Description = { type: "SNAPSHOT", topic: "flow.snapshot", data: "" };

const describeTask = (
  flow: Flow,
  fact: { task: number },
  attempt: number,
  status: string,
  response: string,
  error?: unknown,
): Description => {
  const task = taskAt(flow, fact.task);
  const { index, name } = (task?.undoes ?? task)?.stage ?? {};
  const undoes = task?.undoes ? `,"compensates":"${taskId(flow.idBase, task.undoes.ordinal)}"` : "";
  const failed = error === undefined ? "" : `,"error":${JSON.stringify(error)}`;
  return {
    type: "TASK",
    topic: topicOf("task", status),
    data: `"attempt":${attempt},"stageId":"${stageId(flow.idBase, index ?? 0)}","stageName":${quoted(name)},"taskId":"${taskId(flow.idBase, fact.task)}","taskName":${quoted(task?.definition.name)},"taskStatus":"${status}","taskResponse":${response}${failed}${undoes}`,
  };
};

/**
 * For each fact, the attempt of its task at that point, if a later attempt started in the same
 * commit. Undefined if the commit resets no task.
 */
function attemptsAt(facts: readonly Fact[]): (number | undefined)[] | undefined {
  if (!facts.some(({ kind }) => kind === "reset")) return undefined;
  const attemptBefore = new Map<number, number>();
  const attempts: (number | undefined)[] = [];
  for (let index = facts.length - 1; index >= 0; index--) {
    const fact = facts[index] as Fact;
    if (!("task" in fact)) continue;
    attempts[index] = attemptBefore.get(fact.task);
    if (fact.kind === "started") attemptBefore.set(fact.task, Math.max(0, fact.attempt - 1));
  }
  return attempts;
}

const attemptOf = (flow: Flow, task: number): number => taskAt(flow, task)?.attempt ?? 0;

/**
 * A fact as subscribers see it; undefined if it is no event.
 * @param at the task's attempt at that point, if the flow has moved on since
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
        data: `"taskflowStatus":"${fact.status}"${fact.output === undefined ? "" : `,"output":${JSON.stringify(fact.output)}`}`,
      };
    case "stage":
      return {
        type: "STAGE",
        topic: topicOf("stage", fact.status),
        data: `"stageId":"${stageId(flow.idBase, fact.stage)}","stageName":${quoted(flow.stages[fact.stage]?.name)},"stageStatus":"${fact.status}"`,
      };
    case "started":
      return describeTask(flow, fact, fact.attempt, "RUNNING", "null");
    case "revived":
      return describeTask(flow, fact, at ?? attemptOf(flow, fact.task), "RUNNING", "null");
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
