/**
 * `npm run demo:nats`: the same over a real NATS server, each part a process of its own: the
 * coordinator, one worker on Moleculer's own NATS transporter, one on this project's, and this
 * process, the client. With `NATS_URL` it uses a server that runs already.
 *
 * --kill     kills the coordinator (SIGKILL) in the middle of the second stage, and starts it
 * again
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ServiceBroker } from "moleculer";
import { NatsTransporter, TaskflowClient } from "../../lib/index.ts";
import { findNatsServer } from "../../test/helpers/ensure-nats-server.ts";
import { startNatsServer } from "../../test/helpers/nats-server.ts";
import { groupFlow } from "./flow.ts";
import { devicesDone, follow } from "./follow.ts";
import { home } from "./home.ts";
import { start, type Started } from "./processes.ts";
import type { Progress } from "./progress.ts";
import { Screen } from "./screen.ts";

/** Devices that are done when `--kill` strikes. */
const KILL_AFTER = 3;
const ROOT = join(import.meta.dirname, "../..");

const { values: flags } = parseArgs({ options: { kill: { type: "boolean" } } });
const folder = process.env.DEMO_DATA ?? mkdtempSync(join(tmpdir(), "taskflow-demo-"));
process.env.HOME_FILE = join(folder, "home.jsonl");

const screen = new Screen();
const { bold, cyan, dim, red, green } = screen.colors;
const namespace = `demo-${randomBytes(4).toString("hex")}`;
/** Rejects when a process ends that should not, and with a signal's exit code. */
const failed = Promise.withResolvers<never>();
let nats: { readonly url: string; stop(): Promise<void> } | undefined;

async function natsUrl(): Promise<string> {
  const { NATS_URL } = process.env;
  if (NATS_URL) return NATS_URL;
  const ensure = join(ROOT, "test/helpers/ensure-nats-server.ts");
  if (findNatsServer() === undefined && spawnSync(process.execPath, [ensure], { stdio: "inherit" }).status !== 0) process.exit(1);
  nats = await startNatsServer();
  return nats.url;
}

interface Parts {
  readonly processes: Started[];
  coordinator: Started;
  startCoordinator(): Started;
}

function startParts(url: string): Parts {
  const env = {
    NATS_URL: url,
    NAMESPACE: namespace,
    LOG_LEVEL: "error",
    TASKFLOW_STORE: `sqlite:${join(folder, "taskflow.db")}`,
  };
  const worker = (service: string, kind: string): Started =>
    start(join(import.meta.dirname, "worker.ts"), [service, kind], env, failed.reject);
  const startCoordinator = (): Started =>
    start(join(ROOT, "bin/start.ts"), [], { ...env, NODE_ID: "coordinator" }, failed.reject);
  const processes = [worker("group-core", "stock"), worker("appliance-core", "taskflow")];
  return { processes, coordinator: startCoordinator(), startCoordinator };
}

/** Kills the coordinator once, and starts it again. */
function killer(parts: Parts): (progress: Progress) => void {
  let isDone = false;
  return (progress) => {
    if (isDone || devicesDone(progress) < KILL_AFTER) return;
    isDone = true;
    const { pid } = parts.coordinator;
    void parts.coordinator.end("SIGKILL").then(() => {
      screen.say(`  ${red(bold("kill -9"))} ${pid}: the coordinator is gone`);
      parts.coordinator = parts.startCoordinator();
      screen.say(`  ${green("started again")} as ${parts.coordinator.pid}, on the same store`);
    });
  };
}

async function main(): Promise<number> {
  screen.say(`\n  ${dim("Starting a NATS server, a coordinator and two workers …")}`);
  const url = await natsUrl();
  const parts = startParts(url);
  const transporter = new NatsTransporter({ url });
  const broker = new ServiceBroker({
    namespace,
    nodeID: "client",
    transporter,
    logLevel: "error",
    requestTimeout: 10_000,
    skipProcessEventRegistration: true,
  });
  await broker.start();
  await broker.waitForServices(["taskflow", "group-core", "appliance-core"], 20_000, 20);
  screen.say(`\n  ${dim("NATS")}            ${url}, namespace ${namespace}`);
  screen.say(`  ${dim("coordinator")}     process ${parts.coordinator.pid}`);
  screen.say(`  ${dim("group-core")}      process ${parts.processes[0]?.pid}, Moleculer's own NATS transporter`);
  screen.say(`  ${dim("appliance-core")}  process ${parts.processes[1]?.pid}, NatsTransporter (context in NATS headers)`);

  const client = new TaskflowClient(broker);
  const groupId = `bedroom-${randomBytes(3).toString("hex")}`;
  const { taskflowId, eventSubscription } = await client.produce(groupFlow(groupId));
  screen.say(`  ${dim("events")}          ${eventSubscription}`);
  const watch = flags.kill ? killer(parts) : undefined;
  const details = await follow(client, taskflowId, screen, watch);
  const times = (call: "createGroup" | "AddApplianceToGroup"): string =>
    `${call} ${home().count({ call, phase: "asked", groupId })} ×`;
  screen.say(`  ${dim(`The house was asked: ${times("createGroup")}, ${times("AddApplianceToGroup")}`)}\n`);
  if (!flags.kill)
    screen.say(`  Next: ${cyan("npm run demo:nats -- --kill")} kills the coordinator in the middle, and starts it again.\n`);

  await broker.stop();
  await Promise.all([parts.coordinator, ...parts.processes].map((each) => each.end()));
  return details.status === "COMPLETED" ? 0 : 1;
}

process.once("SIGINT", () => failed.reject(130));
process.once("SIGTERM", () => failed.reject(143));
let exitCode = 1;
try {
  exitCode = await Promise.race([failed.promise, main()]);
} catch (error) {
  screen.end();
  if (typeof error === "number") exitCode = error;
  else console.error(error instanceof Error ? error.message : error);
}
await nats?.stop();
if (process.env.DEMO_DATA === undefined) rmSync(folder, { recursive: true, force: true });
process.exit(exitCode);
