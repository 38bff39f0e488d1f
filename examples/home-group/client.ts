/**
 * Produces the taskflow of the group at a coordinator that runs already, and follows it:
 * `NATS_URL=nats://… node client.ts`.
 */
import { randomBytes } from "node:crypto";
import { ServiceBroker } from "moleculer";
import { NatsTransporter, TaskflowClient } from "../../lib/index.ts";
import { groupFlow } from "./flow.ts";
import { follow } from "./follow.ts";
import { Screen } from "./screen.ts";

const { NATS_URL: url = "nats://127.0.0.1:4222", NAMESPACE: namespace = "" } = process.env;
const broker = new ServiceBroker({
  namespace,
  nodeID: `client-${randomBytes(4).toString("hex")}`,
  transporter: new NatsTransporter({ url }),
  logLevel: "error",
  requestTimeout: 10_000,
});
await broker.start();
await broker.waitForServices(["taskflow", "group-core", "appliance-core"], 60_000, 100);

const client = new TaskflowClient(broker);
const { taskflowId } = await client.produce(groupFlow(`bedroom-${randomBytes(3).toString("hex")}`));
const { status } = await follow(client, taskflowId, new Screen());
await broker.stop();
process.exit(status === "COMPLETED" ? 0 : 1);
