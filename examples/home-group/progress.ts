/** A taskflow as its events tell of it, one after the other. Knows neither terminal nor clock. */
import type { TaskDetails, TaskEvent, TaskflowDetails, TaskflowEvent } from "../../lib/index.ts";

export interface TaskProgress {
  readonly name: string;
  readonly maxRetries: number;
  readonly retryDelay: number;
  status: TaskDetails["status"];
  /** From 1, as people count. */
  attempt: number;
  startedAt: number | null;
  finishedAt: number | null;
  /** While it waits between two attempts. */
  nextAttemptAt: number | null;
  error: string | null;
}

export interface StageProgress {
  readonly name: string;
  readonly tasks: Map<string, TaskProgress>;
  status: TaskflowDetails["stages"][string]["status"];
  startedAt: number | null;
  finishedAt: number | null;
}

const FINISHED: ReadonlySet<string> = new Set(["COMPLETED", "PARTIAL_COMPLETED", "FAILED", "CANCELLED", "SKIPPED"]);
const SETTLED: ReadonlySet<string> = new Set(["SUCCESS", "FAILED", "CANCELLED", "SKIPPED"]);

export class Progress {
  readonly taskflowId: string;
  readonly name: string;
  readonly stages: Map<string, StageProgress>;
  status: TaskflowDetails["status"] = "WAITING";
  startedAt: number | null = null;
  finishedAt: number | null = null;

  /**
   * @param details for names and options only: what happened comes with the events, from the
   * first one on
   */
  constructor(details: TaskflowDetails) {
    this.taskflowId = details.taskflowId;
    this.name = details.name ?? "taskflow";
    this.stages = new Map(
      Object.entries(details.stages).map(([stageId, { name, tasks }]) => {
        const rows = Object.entries(tasks).map(([taskId, task]) => [taskId, waiting(task)] as const);
        return [stageId, { name, tasks: new Map(rows), status: "WAITING", startedAt: null, finishedAt: null }];
      }),
    );
  }

  get isFinished(): boolean {
    return FINISHED.has(this.status);
  }

  get tasks(): TaskProgress[] {
    return [...this.stages.values()].flatMap(({ tasks }) => [...tasks.values()]);
  }

  get settled(): number {
    return this.tasks.filter(({ status }) => SETTLED.has(status)).length;
  }

  apply(event: TaskflowEvent): void {
    // Stands in for events of very long histories only.
    if (event.eventType === "SNAPSHOT") return;
    const { timestamp } = event;
    if (event.eventType === "TASKFLOW") {
      this.status = event.data.taskflowStatus;
      if (this.status === "RUNNING") this.startedAt ??= timestamp;
      if (this.isFinished) this.finishedAt = timestamp;
    } else if (event.eventType === "STAGE") {
      const stage = this.stages.get(event.data.stageId);
      if (!stage) return;
      stage.status = event.data.stageStatus;
      if (stage.status === "RUNNING") stage.startedAt ??= timestamp;
      if (FINISHED.has(stage.status)) stage.finishedAt = timestamp;
    } else {
      const task = this.stages.get(event.data.stageId)?.tasks.get(event.data.taskId);
      if (task) applyTask(task, event);
    }
  }
}

function waiting({ name, options }: TaskDetails): TaskProgress {
  const { maxRetries, retryDelay } = options;
  const none = { startedAt: null, finishedAt: null, nextAttemptAt: null, error: null };
  return { name, maxRetries, retryDelay, status: "WAITING", attempt: 0, ...none };
}

function applyTask(task: TaskProgress, { timestamp, data }: TaskEvent): void {
  task.status = data.taskStatus;
  task.attempt = data.attempt + 1;
  task.error = data.error?.message ?? null;
  // The delay of this taskflow is fixed; with a backoff, `getTask` would tell the time.
  task.nextAttemptAt = task.status === "WAITING" && data.error ? timestamp + task.retryDelay : null;
  if (task.status === "RUNNING") task.startedAt ??= timestamp;
  if (SETTLED.has(task.status)) task.finishedAt = timestamp;
}
