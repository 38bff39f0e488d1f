/** Random orders: what a person may ask of a taskflow, sensible or not. */
import type { Command, Expect, CommandRequest, RetryCommand, Selection } from "../../lib/core/model/command.ts";
import { type Flow, isFinished, type Task } from "../../lib/core/model/flow.ts";
import { type JsonText } from "../../lib/core/model/values.ts";
import { taskId } from "../../lib/core/model/ids.ts";
import type { Random } from "./random.ts";

const ANY = ["cancel", "retry", "pause", "resume", "cancelTask", "resolveTask", "updateTask", "annotate"] as const;
const OF_FINISHED = ["retry", "retry", "retry", "resolveTask", ...ANY] as const;
const OF_PAUSED = ["resume", "retry", "resolveTask", ...ANY] as const;

/** @param number tells it from all other orders of the run */
export function drawOrder(random: Random, flow: Flow, number: number): CommandRequest {
  const command = drawCommand(random, flow, number);
  return {
    ...(random.chance(0.6) ? { id: `order-${number}` } : {}),
    ...(random.chance(0.25) ? { expect: drawExpect(random, flow, command) } : {}),
    command,
  };
}

function drawCommand(random: Random, flow: Flow, number: number): Command {
  const kind = random.pick(isFinished(flow.status) ? OF_FINISHED : flow.status === "PAUSED" ? OF_PAUSED : ANY);
  switch (kind) {
    case "cancel":
    case "pause":
    case "resume":
      return { kind };
    case "retry":
      return drawRetry(random, flow);
    case "cancelTask":
      return { kind, task: refOf(random, flow, random.pick(flow.tasks)) };
    case "resolveTask":
      return {
        kind,
        task: refOf(random, flow, random.pick(flow.tasks)),
        reason: "by hand",
        ...(random.chance(0.5) ? { outcome: "SUCCESS", response: `"by order ${number}"` as JsonText } : { outcome: "SKIPPED" }),
      };
    case "updateTask": {
      const options = random.pick([
        { maxRetries: 2 },
        { retryDelay: 10 },
        { timeout: 400 },
        { continueOnTaskFailure: true },
        undefined,
      ]);
      return {
        kind,
        task: refOf(random, flow, random.pick(flow.tasks)),
        ...(options ? { options } : { params: { number } }),
      };
    }
    case "annotate":
      return { kind, type: "note", value: number };
  }
}

function drawRetry(random: Random, flow: Flow): RetryCommand {
  const mode = random.pick(["all", "failed", undefined] as const);
  return {
    kind: "retry",
    ...(mode ? { mode } : {}),
    ...(random.chance(0.5) ? { selection: drawSelection(random, flow) } : {}),
    ...(random.chance(0.3) ? { force: true } : {}),
    ...(random.chance(0.2) ? { cascade: true } : {}),
    ...(random.chance(0.15) ? { dryRun: true } : {}),
  };
}

function drawSelection(random: Random, flow: Flow): Selection[] {
  return Array.from({ length: random.int(1, 2) }, () => {
    const task = random.pick(flow.tasks);
    const tasks = [refOf(random, flow, task)];
    const stage = task.stage.name;
    return random.pick([{ stage }, { stage, tasks }, { tasks }]);
  });
}

/** A name may be that of several tasks. */
function refOf(random: Random, { idBase }: Flow, { ordinal, definition }: Task): string {
  return random.chance(0.9) ? taskId(idBase, ordinal) : definition.name;
}

function drawExpect(random: Random, flow: Flow, command: Command): Expect {
  if (!("task" in command) || random.chance(0.5)) return { revision: flow.revision };
  const { attempt } = random.pick(flow.tasks);
  return { attempt };
}
