/** Joins what handlers did with what the store tells and what was announced, once all is quiet. */
import type { TaskDetails, TaskflowDetails } from "../../lib/index.ts";
import { type Execution, partsOfKey } from "./execution-log.ts";
import { isOver, type ProducedFlow } from "./producer.ts";
import type { WorkAnswer } from "./worker.ts";

export interface Verdict {
  readonly violations: string[];
  /** Taskflows by kind and how they ended. */
  readonly ends: Record<string, number>;
  /** Failed taskflows of the at-least-once kinds, by the error that ended them. */
  readonly failures: Record<string, number>;
  /** Ends without a known outcome under exactly once, by what the log says of the attempt. */
  readonly unknowns: Record<string, number>;
  /** Repeated executions in at-least-once mode, by reason. */
  readonly repeats: Record<string, number>;
  readonly executions: number;
  readonly subscriptions: number;
  readonly completedShare: number;
}

type Tally = Record<string, number>;

const add = (tally: Tally, what: string): void => void (tally[what] = (tally[what] ?? 0) + 1);

const tasksOf = (details: TaskflowDetails): TaskDetails[] =>
  Object.values(details.stages).flatMap(({ tasks }) => Object.values(tasks));

export class Checker {
  readonly #verdict = {
    violations: [] as string[],
    ends: {} as Tally,
    failures: {} as Tally,
    unknowns: {} as Tally,
    repeats: {} as Tally,
  };
  readonly #executions: readonly Execution[];
  readonly #byTask = new Map<string, Execution[]>();
  readonly #byRun = new Map<string, Execution>();
  #subscriptions = 0;
  #completed = 0;
  #atLeastOnce = 0;

  constructor(executions: readonly Execution[]) {
    this.#executions = executions;
    for (const execution of executions) {
      const { taskflowId, taskId } = partsOfKey(execution.key);
      const task = `${taskflowId}:${taskId}`;
      const known = this.#byTask.get(task);
      if (known) known.push(execution);
      else this.#byTask.set(task, [execution]);
      this.#byRun.set(execution.run, execution);
    }
    this.#fences();
  }

  #wrong(text: string): void {
    this.#verdict.violations.push(text);
  }

  /** @param details as the store tells; undefined: it has no such taskflow */
  check(flow: ProducedFlow, details: TaskflowDetails | undefined): void {
    if (!details) {
      if (flow.answered) this.#wrong(`${flow.id} was lost: produce had answered`);
      return;
    }
    if (!isOver(details.status)) this.#wrong(`${flow.id} is stuck: ${details.status}`);
    add(this.#verdict.ends, `${flow.kind} ${details.status}`);
    const tasks = tasksOf(details);
    for (const task of tasks) this.#task(flow, task);
    this.#handedOn(flow, details);
    this.#events(flow, details, tasks);
    this.#end(flow, details, tasks);
  }

  #end({ id, kind, waited }: ProducedFlow, { status }: TaskflowDetails, tasks: readonly TaskDetails[]): void {
    if (waited && waited.status !== status) this.#wrong(`${id}: a wait was told ${waited.status}, and it is ${status}`);
    const failed = tasks.filter((task) => task.status === "FAILED");
    if (status !== "COMPLETED" && failed.length === 0) this.#wrong(`${id} is ${status} and no task of it has failed`);
    for (const task of failed) if (!task.error) this.#wrong(`${id}: ${task.name} failed without an error`);
    if (kind === "once") {
      for (const task of failed) {
        if (task.error?.type !== "TASK_OUTCOME_UNKNOWN") this.#wrong(`${id}: ${task.name} failed: ${task.error?.message}`);
        else add(this.#verdict.unknowns, this.#whyUnknown(id, task));
      }
      return;
    }
    this.#atLeastOnce++;
    if (status === "COMPLETED") this.#completed++;
    else for (const { error } of failed) add(this.#verdict.failures, `${error?.type}: ${error?.message.replaceAll(/\d+/g, "N")}`);
  }

  /** What the log says of an attempt of which nobody could tell how it ended. */
  #whyUnknown(id: string, task: TaskDetails): string {
    const runs = this.#byTask.get(`${id}:${task.id}`)?.filter(({ key }) => partsOfKey(key).attempt === task.attempt) ?? [];
    const [last] = runs;
    if (!last) return "it never began";
    return last.end
      ? "it had ended (its process was ended before it could tell, or nobody reached it)"
      : "its process was killed in the middle";
  }

  #task({ id, kind }: ProducedFlow, task: TaskDetails): void {
    const runs = this.#byTask.get(`${id}:${task.id}`) ?? [];
    const where = `${id}: ${task.name}`;
    const attempts = new Map(Map.groupBy(runs, ({ key }) => partsOfKey(key).attempt));
    for (const attempt of attempts.keys()) {
      if (!task.attempts.some((known) => known.attempt === attempt))
        this.#wrong(`${where}: attempt ${attempt} ran and is not stored`);
    }
    if (task.status === "SUCCESS") {
      const told = this.#byRun.get((task.response as WorkAnswer).run);
      if (!told || !runs.includes(told)) this.#wrong(`${where}: its response is of no run of it`);
      else if (told.end?.ok !== true) this.#wrong(`${where}: its response is of a run that did not succeed`);
      else if (partsOfKey(told.key).attempt !== task.attempt) this.#wrong(`${where}: its response is of an older attempt`);
    }
    const successes = task.attempts.filter(({ status }) => status === "SUCCESS");
    if (successes.length > 1 || (successes.length === 1 && successes[0] !== task.attempts.at(-1))) {
      this.#wrong(`${where}: an attempt followed on one that had succeeded`);
    }
    if (kind === "once") this.#once(where, runs);
    else for (const [, repeated] of attempts) this.#repeated(repeated);
  }

  /** Each attempt ran once, and none ran after one that may have done its work. */
  #once(where: string, runs: readonly Execution[]): void {
    const seen = new Set<string>();
    for (const [index, { key, end, delivery }] of runs.entries()) {
      if (seen.has(key)) this.#wrong(`${where}: under exactly once ${key} ran again (delivery ${delivery})`);
      seen.add(key);
      if (index < runs.length - 1 && end?.ok !== false) {
        this.#wrong(
          `${where}: under exactly once a run followed on one that ${end ? "had succeeded" : "had not ended"} (${key})`,
        );
      }
    }
  }

  #repeated(runs: readonly Execution[]): void {
    for (const [index, run] of runs.entries()) {
      const before = runs[index - 1];
      if (!before) continue;
      const mixin = run.action.startsWith("plain.") ? "without the mixin" : "with the mixin";
      const which = before.node === run.node ? "the same node" : "another node";
      const incarnation =
        before.pid === run.pid ? "the same process" : before.end ? "its process had ended since" : "killed in the middle";
      const told =
        before.node === run.node ? `, ${incarnation}` : before.end ? ", after the first had ended" : ", the first was killed";
      add(this.#verdict.repeats, `${mixin}: delivered again to ${which}${told}`);
      if (!run.action.startsWith("plain.") && before.pid === run.pid) {
        this.#wrong(`${run.key} ran twice in one process with the mixin (deliveries ${before.delivery}, ${run.delivery})`);
      }
    }
  }

  /** Each stage was told of the responses that are stored of the one before. */
  #handedOn({ id }: ProducedFlow, details: TaskflowDetails): void {
    const stages = Object.values(details.stages);
    for (const [index, stage] of stages.entries()) {
      const before = stages[index - 1];
      if (!before) continue;
      const stored = Object.values(before.tasks).map(({ response }) => (response as WorkAnswer | null)?.run ?? null);
      for (const { name, status, response } of Object.values(stage.tasks)) {
        if (status !== "SUCCESS") continue;
        const { previous } = response as WorkAnswer;
        if (previous.join() !== stored.join()) this.#wrong(`${id}: ${name} was told of other responses than are stored`);
      }
    }
  }

  /** What was announced is what is stored; a subscription had all of it, each once and in order. */
  #events(flow: ProducedFlow, { status }: TaskflowDetails, tasks: readonly TaskDetails[]): void {
    for (const text of flow.contradictions) this.#wrong(`${flow.id}: ${text}`);
    const final = new Map(tasks.map((task) => [task.id, task]));
    for (const what of flow.told.values()) {
      const [kind, id = "", attempt, told, run] = what.split(" ");
      if (kind === "TASKFLOW" && isOver(id) && id !== status) this.#wrong(`${flow.id} was announced ${id}, and is ${status}`);
      if (kind !== "TASK" || told !== "SUCCESS") continue;
      const task = final.get(id);
      const stored = (task?.response as WorkAnswer | null)?.run;
      if (task?.status !== "SUCCESS" || String(task.attempt) !== attempt || stored !== run) {
        this.#wrong(`${flow.id}: a success was announced (${what}) that is not what is stored (${task?.status} ${stored})`);
      }
    }
    if (!flow.subscribed) return;
    this.#subscriptions++;
    const seqs = flow.subscribed.map(({ seq }) => seq);
    if (seqs.some((seq, index) => seq !== index + 1))
      this.#wrong(`${flow.id}: a subscription was given the events ${seqs.join()}`);
    const last = flow.subscribed.at(-1)?.what;
    if (last !== `TASKFLOW ${status}`)
      this.#wrong(`${flow.id}: the last event of a subscription is ${last}, and it is ${status}`);
    for (const { seq, what } of flow.subscribed) {
      const live = flow.told.get(seq);
      if (live !== undefined && live !== what && !isReplaced(live, what)) {
        this.#wrong(`${flow.id}: event ${seq} is ${what}, and was ${live} when it was announced`);
      }
    }
  }

  /** No worker with the mixin runs what an owner sent that it knows to be outdated. */
  #fences(): void {
    const highest = new Map<string, number>();
    for (const { key, fence, pid, action } of this.#executions) {
      if (action.startsWith("plain.")) continue;
      const place = `${pid} ${partsOfKey(key).taskflowId}`;
      const seen = highest.get(place) ?? 0;
      if (fence < seen) this.#wrong(`${key} ran for fence ${fence} in a process that had seen ${seen}`);
      highest.set(place, Math.max(seen, fence));
    }
  }

  verdict(): Verdict {
    const completedShare = this.#atLeastOnce === 0 ? 1 : this.#completed / this.#atLeastOnce;
    return {
      ...this.#verdict,
      executions: this.#executions.length,
      subscriptions: this.#subscriptions,
      completedShare,
    };
  }
}

/** A replayed event has no response if a later attempt has replaced it. */
function isReplaced(live: string, replayed: string): boolean {
  return live.startsWith("TASK ") && replayed === live.replace(/ \S+$/, " null");
}
