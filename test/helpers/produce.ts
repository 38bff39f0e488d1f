/**
 * A program: a node of its own that calls `taskflow.produce` with a JSON file and says in its
 * ready line what came of it. Its arguments are the URL of NATS, the namespace and the file.
 */
import { readFileSync } from "node:fs";
import { ServiceBroker } from "moleculer";

const [url = "", namespace = "", file = ""] = process.argv.slice(2);
const broker = new ServiceBroker({
  namespace,
  nodeID: "producer",
  transporter: { type: "NATS", options: { url } },
  logger: false,
});
await broker.start();
await broker.waitForServices("taskflow", 15_000, 10);
const answer = await broker.call<unknown, unknown>("taskflow.produce", JSON.parse(readFileSync(file, "utf8")), {
  timeout: 5_000,
});
console.log(JSON.stringify({ ready: true, answer, answeredAt: Date.now() }));
await broker.stop();
