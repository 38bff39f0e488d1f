/**
 * A program: a node of its own with the service `taskflow-db` over a store. It reads without a
 * pause and prints how many taskflows are COMPLETED whenever that changes. Its argument is the
 * store's URL.
 */
import { ServiceBroker } from "moleculer";
import { setTimeout as delay } from "node:timers/promises";
import { TaskflowDb } from "../../lib/moleculer-db.ts";

const [store = ""] = process.argv.slice(2);
const broker = new ServiceBroker({ logger: false, skipProcessEventRegistration: true });
broker.createService(TaskflowDb({ store }));
await broker.start();
console.log(JSON.stringify({ ready: true }));

const stopping = new AbortController();
process.once("SIGTERM", () => stopping.abort());
let last = -1;
while (!stopping.signal.aborted) {
  const { total } = await broker.call<{ total: number }, object>("taskflow-db.list", { query: { status: "COMPLETED" } });
  if (total !== last) console.log(`COMPLETED ${total}`);
  last = total;
  await delay(5);
}
await broker.stop();
