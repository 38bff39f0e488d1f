/**
 * One service as a process of its own: `node worker.ts group-core stock` (Moleculer's own NATS
 * transporter) or `node worker.ts appliance-core taskflow` (this project's, which has the
 * execution context in NATS headers).
 */
import { type BrokerOptions, ServiceBroker } from "moleculer";
import { NatsTransporter } from "../../lib/index.ts";
import applianceCore from "./appliance-core.service.ts";
import groupCore from "./group-core.service.ts";

const [serviceName = "", kind = "stock"] = process.argv.slice(2);
const { NATS_URL: url = "nats://127.0.0.1:4222", NAMESPACE: namespace = "" } = process.env;

const service = [groupCore, applianceCore].find(({ name }) => name === serviceName);
if (!service) throw new Error(`"${serviceName}" is none of the services: give group-core or appliance-core.`);
const transporter: BrokerOptions["transporter"] =
  kind === "taskflow" ? new NatsTransporter({ url }) : { type: "NATS", options: { url } };

const broker = new ServiceBroker({ namespace, nodeID: serviceName, transporter, logLevel: "error" });
broker.createService(service);
await broker.start();
