/**
 * `npm run demo:order`: an order whose card is refused, twice. The first one is undone, step by
 * step and in reverse; the second one waits for a person, who gives another card and has it go on
 * from there. One process, the store in memory.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { ServiceBroker } from "moleculer";
import { TaskflowClient, type TaskflowEvent, TaskflowService } from "../../lib/index.ts";
import { Screen } from "../home-group/screen.ts";
import { orderFlow } from "./flow.ts";
import { payment, REFUSED_CARD, shipping, stock } from "./services.ts";

const ANOTHER_CARD = "4242 4242 4242 4242";
/** Events follow the state that they tell of within moments. */
const LAST_EVENTS_MS = 100;

const screen = new Screen();
const { bold, cyan, dim, green, red, yellow } = screen.colors;

const broker = new ServiceBroker({ logLevel: { BROKER: "fatal", "**": "warn" }, skipProcessEventRegistration: true });
broker.createService(TaskflowService({ store: "memory:" }));
for (const service of [stock, shipping, payment]) broker.createService(service);
const client = new TaskflowClient(broker);

function inColor(status: string): string {
  if (status === "SUCCESS" || status === "COMPLETED") return green(status);
  if (status === "FAILED") return red(status);
  return status === "PAUSED" ? yellow(status) : dim(status);
}

/** Tells each change until it is ended. `paused` resolves when the taskflow waits for a person. */
async function show(taskflowId: string): Promise<{ paused: Promise<void>; end: () => Promise<void> }> {
  const { stages } = await client.getTaskflowDetails(taskflowId);
  const tasks = Object.values(stages).flatMap((stage) => Object.values(stage.tasks));
  const names = new Map(tasks.map(({ id, name }) => [id, name]));
  const paused = Promise.withResolvers<void>();
  const line = (name: string, status: string, why = ""): void =>
    screen.say(`    ${name.padEnd(20)}${inColor(status)}${dim(why)}`);
  const subscription = await client.subscribeToTaskflowEvents(taskflowId, ({ eventType, data }: TaskflowEvent) => {
    if (eventType === "TASKFLOW") line("order", data.taskflowStatus);
    if (eventType === "TASKFLOW" && data.taskflowStatus === "PAUSED") paused.resolve();
    if (eventType !== "TASK" || data.taskStatus === "WAITING") return;
    const name = data.compensates === undefined ? names.get(data.taskId) : `undo ${names.get(data.compensates)}`;
    line(name ?? data.taskId, data.taskStatus, data.error ? `  ${data.error.message}` : "");
  });
  const end = async (): Promise<void> => {
    await delay(LAST_EVENTS_MS);
    subscription.unsubscribe();
  };
  return { paused: paused.promise, end };
}

const newOrderId = (): string => `order-${randomBytes(3).toString("hex")}`;

async function undone(): Promise<boolean> {
  screen.say(`\n  ${bold("The card is refused: what was done is undone, in reverse")}  ${dim('onFailure: "compensate"')}\n`);
  const { taskflowId } = await client.produce(orderFlow(newOrderId(), REFUSED_CARD, "compensate"));
  const { end } = await show(taskflowId);
  const { status, compensation } = await client.waitForTaskflow(taskflowId);
  await end();
  screen.say(`\n  ${inColor(status)}, and its compensation ${inColor(compensation?.status ?? "missing")}`);
  return status === "FAILED" && compensation?.status === "SUCCESS";
}

async function decided(): Promise<boolean> {
  const orderId = newOrderId();
  screen.say(`\n  ${bold("The card is refused: a person decides")}  ${dim('onFailure: "pause"')}\n`);
  const { taskflowId } = await client.produce(orderFlow(orderId, REFUSED_CARD, "pause"));
  const { paused, end } = await show(taskflowId);
  await paused;
  screen.say(`\n  ${cyan("explainTaskflow")}`);
  for (const { sentence, movedBy } of (await client.explainTaskflow(taskflowId)).reasons)
    screen.say(`    ${sentence} ${dim(movedBy)}`);

  // Whoever decides says what he saw: if somebody was faster, it is refused.
  const { revision } = await client.getTaskflowDetails(taskflowId);
  const params = { orderId, card: ANOTHER_CARD, amount: 79.8 };
  await client.updateTask(taskflowId, "charge", { params, expect: { revision } });
  screen.say(`\n  ${cyan("updateTask")}\n    "charge" has another card`);
  const { retried, reused } = await client.retryTaskflow(taskflowId, { mode: "failed", dryRun: true });
  screen.say(
    `\n  ${cyan("retryTaskflow")}\n    ${retried.length} task will run, ${reused?.length ?? 0} keep what they have done\n`,
  );
  await client.retryTaskflow(taskflowId, { mode: "failed" });
  const { status } = await client.waitForTaskflow(taskflowId);
  await end();
  screen.say(`\n  ${inColor(status)}\n`);
  return status === "COMPLETED";
}

process.once("SIGINT", () => process.exit(130));
try {
  await broker.start();
  process.exitCode = (await undone()) && (await decided()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
await broker.stop();
