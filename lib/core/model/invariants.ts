/**
 * Invariants of a taskflow between two steps:
 *
 * 1. At most one stage is RUNNING, and none in a finished taskflow.
 * 2. In the first run stages are entered in order, without gaps.
 * 3. In the first run a stage is entered only if no earlier stage blocks.
 * 4. The counts of a stage match its tasks.
 * 5. Only a running stage has open tasks, and only open tasks run.
 * 6. A task is RUNNING exactly while its latest attempt is.
 * 7. Attempt numbers of a task strictly increase, its `attempt` is the latest, and each attempt
 *    was delivered at least once.
 * 8. Only a WAITING task has a retry time.
 * 9. Only waiting tasks of the running stage are due, and only running tasks await redelivery.
 * 10. COMPLETED means that no task failed and every task is settled.
 * 11. Only failed tasks of the running stage await a decision, and only in an unfinished
 *     taskflow.
 * 12. A compensation runs only in a finished taskflow, and only while one of its tasks is open.
 * 13. A task keeps a pending answer exactly while it waits for nested taskflows, and the counts
 *     of nested taskflows match their states.
 * 14. It is PAUSED exactly while a pause holds or a decision is needed.
 */
import { type Flow, isFinished, isSettled, type Stage, type Task, taskAt } from "./flow.ts";

function violated(flow: Flow, invariant: number, observed: string): never {
  throw new Error(`Invariant ${invariant} of taskflow ${flow.taskflowId} is violated: ${observed}`);
}

/** The cheap checks, run after every step in production too. */
export function assertStep(flow: Flow): void {
  if (!isFinished(flow.status)) return;
  if (flow.undo.status !== "RUNNING" && (flow.due.size > 0 || flow.repeats.size > 0))
    violated(flow, 9, `it is ${flow.status} and has due tasks`);
  if (flow.status === "COMPLETED" && flow.settled !== flow.tasks.length)
    violated(flow, 10, `${flow.settled} of ${flow.tasks.length} tasks are settled`);
}

/** All checks, at the cost of visiting every task: for tests, simulation and imports. */
export function assertFlow(flow: Flow): void {
  assertStep(flow);
  const running = flow.stages.filter((stage) => stage.status === "RUNNING");
  if (running.length > 1) violated(flow, 1, `stages ${running.map((stage) => stage.name).join(", ")} run at once`);
  if (running.length > 0 && isFinished(flow.status)) violated(flow, 1, `it is ${flow.status} and a stage runs`);
  let reached = true;
  let blocked = false;
  for (const stage of flow.stages) {
    const isFirstRun = flow.retryAttempt === 0;
    if (isFirstRun && stage.status !== "WAITING" && !reached)
      violated(flow, 2, `stage ${stage.name} was entered before an earlier stage`);
    if (isFirstRun && stage.status !== "WAITING" && stage.status !== "CANCELLED" && blocked)
      violated(flow, 3, `stage ${stage.name} was entered though an earlier stage blocks`);
    reached = stage.status !== "WAITING";
    blocked ||= stage.count.blocking > 0;
    assertStage(flow, stage);
  }
  assertStage(flow, flow.undo);
  if (flow.undo.status === "RUNNING" && (!isFinished(flow.status) || flow.undo.count.open === 0))
    violated(flow, 12, `it is ${flow.status} and compensating, with ${flow.undo.count.open} tasks left`);
  assertChildren(flow);
  const isPaused = flow.pause !== null || flow.awaiting.size > 0;
  if ((flow.status === "PAUSED") !== isPaused) violated(flow, 14, `it is ${flow.status}`);
  for (const ordinal of flow.due) {
    const task = taskAt(flow, ordinal);
    if (!task?.open || task.stage.status !== "RUNNING" || task.status !== "WAITING") violated(flow, 9, `task ${ordinal} is due`);
  }
  for (const ordinal of flow.repeats) {
    if (taskAt(flow, ordinal)?.status !== "RUNNING") violated(flow, 9, `task ${ordinal} awaits redelivery and is not running`);
  }
  for (const ordinal of flow.awaiting) {
    const task = taskAt(flow, ordinal);
    if (isFinished(flow.status) || task?.status !== "FAILED" || task.stage.status !== "RUNNING")
      violated(flow, 11, `task ${ordinal} is ${task?.status}`);
  }
  if (flow.status === "COMPLETED" && flow.stages.some((stage) => stage.count.failed > 0)) violated(flow, 10, "a task failed");
}

function assertStage(flow: Flow, stage: Stage): void {
  const countTasks = (matches: (task: Task) => boolean) => stage.tasks.filter(matches).length;
  const { count } = stage;
  const open = countTasks((task) => task.open);
  const counted = {
    settled: countTasks((task) => isSettled(task.status)),
    success: countTasks((task) => task.status === "SUCCESS"),
    failed: countTasks((task) => task.status === "FAILED" || task.status === "CANCELLED"),
    running: countTasks((task) => task.status === "RUNNING"),
    blocking: countTasks((task) => task.blocks),
    open,
    selected: countTasks((task) => task.selected),
  };
  if (JSON.stringify(counted) !== JSON.stringify(count)) {
    violated(flow, 4, `stage ${stage.name} counts ${JSON.stringify(count)}`);
  }
  if (stage.status !== "RUNNING" && open > 0)
    violated(flow, 5, `stage ${stage.name} is ${stage.status} and ${open} of its tasks are open`);
  for (const task of stage.tasks) assertTask(flow, task);
}

function assertTask(flow: Flow, task: Task): void {
  const { name } = task.definition;
  const latest = task.attempts.at(-1);
  if ((latest?.status === "RUNNING") !== (task.status === "RUNNING"))
    violated(flow, 6, `task ${name} is ${task.status} and its attempt ${latest?.status}`);
  if (task.attempts.some((attempt, index) => index > 0 && attempt.attempt <= (task.attempts[index - 1]?.attempt ?? -1))) {
    violated(flow, 7, `attempts of task ${name} are numbered ${task.attempts.map((attempt) => attempt.attempt).join(", ")}`);
  }
  if (latest && latest.attempt !== task.attempt)
    violated(flow, 7, `task ${name} is at attempt ${task.attempt} and its latest is ${latest.attempt}`);
  if (task.attempts.some(({ deliveries }) => deliveries < 1)) violated(flow, 7, `an attempt of task ${name} was never delivered`);
  if (task.status === "RUNNING" && !task.open) violated(flow, 5, `task ${name} is RUNNING and not open`);
  if (task.retryAt !== null && task.status !== "WAITING")
    violated(flow, 8, `task ${name} is ${task.status} and has a retry time`);
}

function assertChildren(flow: Flow): void {
  const count = { active: 0, abandoned: 0 };
  for (const { state, task } of flow.children.values()) {
    if (state === "active" || state === "abandoned") count[state]++;
    const active = task.children.filter((child) => child.state === "active").length;
    if (task.activeChildren !== active) violated(flow, 13, `task ${task.ordinal} has ${active} active children`);
  }
  if (count.active !== flow.childCount.active || count.abandoned !== flow.childCount.abandoned)
    violated(flow, 13, `its children count ${JSON.stringify(flow.childCount)}`);
  for (const task of flow.tasks)
    if (task.pendingResponse !== null && (task.status !== "RUNNING" || task.activeChildren === 0))
      violated(flow, 13, `task ${task.ordinal} is ${task.status} and has a pending answer`);
}
