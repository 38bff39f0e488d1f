/**
 * `npm run demo`: coordinator, workers and client in one process, with the embedded store and
 * without NATS.
 *
 * --crash    the process kills itself in the middle of the second stage --resume   starts again
 * on what the crash has left, and finishes it
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ServiceBroker } from "moleculer";
import { TaskflowClient, type TaskflowDetails, type TaskflowEvent, TaskflowService } from "../../lib/index.ts";
import applianceCore from "./appliance-core.service.ts";
import { groupFlow } from "./flow.ts";
import { devicesDone, follow } from "./follow.ts";
import groupCore from "./group-core.service.ts";
import { home } from "./home.ts";
import type { Progress } from "./progress.ts";
import { Screen } from "./screen.ts";

/** Devices that are done when `--crash` strikes. */
const CRASH_AFTER = 3;

const { values: flags } = parseArgs({ options: { crash: { type: "boolean" }, resume: { type: "boolean" } } });
const folder = process.env.DEMO_DATA ?? join(import.meta.dirname, "../../data/demo");
process.env.HOME_FILE = join(folder, "home.jsonl");

const screen = new Screen();
const { bold, cyan, dim, red } = screen.colors;

// What keeps the broker from starting is told once, at the end of this file.
const broker = new ServiceBroker({ logLevel: { BROKER: "fatal", "**": "warn" }, skipProcessEventRegistration: true });
broker.createService(TaskflowService({ store: `sqlite:${join(folder, "taskflow.db")}` }));
broker.createService(groupCore);
broker.createService(applianceCore);
const client = new TaskflowClient(broker);

/** The taskflow to show; undefined if there is nothing to resume. */
async function choose(startedAt: number): Promise<string | undefined> {
  if (flags.resume) {
    const { rows } = await client.listTaskflows({ name: "configure-group", sort: "-createdAt", pageSize: 1 });
    const [latest] = rows;
    return latest && (latest.finishedAt ?? Infinity) > startedAt ? latest.taskflowId : undefined;
  }
  const { rows } = await client.listTaskflows({ status: ["WAITING", "RUNNING"] });
  if (rows.length === 0) home().forget();
  else screen.say(`  ${dim(`An interrupted run goes on by itself meanwhile: ${rows.map((row) => row.taskflowId).join(", ")}`)}`);
  const { taskflowId } = await client.produce(groupFlow(`bedroom-${randomBytes(3).toString("hex")}`));
  return taskflowId;
}

function crash(progress: Progress, event: TaskflowEvent): void {
  if (devicesDone(progress) < CRASH_AFTER) return;
  screen.tell(event);
  screen.end();
  screen.say(`\n  ${red(bold("kill -9"))} ${process.pid}: this process is gone in the middle of its work. Finish it with`);
  screen.say(`    ${cyan("npm run demo -- --resume")}\n`);
  process.kill(process.pid, "SIGKILL");
}

/** Says once where the events of the former process end. */
function markTheGap(startedAt: number): (progress: Progress, event: TaskflowEvent) => void {
  let lastAt: number | undefined;
  return (_progress, { timestamp = 0 }) => {
    if (timestamp < startedAt) lastAt = timestamp;
    else if (lastAt !== undefined) {
      const gap = ((timestamp - lastAt) / 1_000).toFixed(1);
      screen.say(`  ${dim("──")} ${red("killed here")}, and gone on with ${gap} s later ${dim("──")}`);
      lastAt = undefined;
    }
  };
}

function tellWhatTheHouseSaw(groupId: string): void {
  const times = (call: "createGroup" | "AddApplianceToGroup"): string =>
    `${call} ${home().count({ call, phase: "asked", groupId })} ×`;
  screen.say(`  ${dim(`The house was asked: ${times("createGroup")}, ${times("AddApplianceToGroup")}`)}\n`);
}

/** Every task of this taskflow has it among its params. */
function groupIdOf({ stages }: TaskflowDetails): string {
  const tasks = Object.values(stages).flatMap((stage) => Object.values(stage.tasks));
  return tasks.map(({ params }) => (params as { groupId: string }).groupId)[0] ?? "";
}

async function main(): Promise<number> {
  const startedAt = Date.now();
  await broker.start();
  const taskflowId = await choose(startedAt);
  if (taskflowId === undefined) {
    screen.say("There is nothing to resume: no run was interrupted. Interrupt one with `npm run demo -- --crash`.");
    return 1;
  }
  screen.say(`\n  ${bold("configure-group")} ${dim(taskflowId)}${flags.resume ? "  goes on where it was interrupted" : ""}`);
  const watch = flags.crash ? crash : flags.resume ? markTheGap(startedAt) : undefined;
  const details = await follow(client, taskflowId, screen, watch);
  tellWhatTheHouseSaw(groupIdOf(details));
  if (flags.resume) {
    screen.say(`  What was stored before the crash was not done again.`);
    screen.say(`  Next: ${cyan("npm run demo:nats -- --kill")} does it with processes over NATS.\n`);
  } else {
    screen.say(`  Next: ${cyan("npm run demo -- --crash")} kills itself in the middle,`);
    screen.say(`        ${cyan("npm run demo -- --resume")} finishes what it left.\n`);
  }
  return details.status === "COMPLETED" ? 0 : 1;
}

process.once("SIGINT", () => process.exit(130));
try {
  process.exitCode = await main();
} catch (error) {
  screen.end();
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
await broker.stop();
