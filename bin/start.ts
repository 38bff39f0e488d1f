/**
 * Runs one coordinator from the configuration (`npm start`). SIGTERM and SIGINT drain it: exit 0
 * when everything is stored and handed over.
 */
import { ServiceBroker } from "moleculer";
import { ENVIRONMENT, readEnvironment } from "../lib/config/environment.ts";
import { valuesOf } from "../lib/util/setting.ts";
import { TaskflowService } from "../services/taskflow.service.ts";

/**
 * What a stop may take beyond the grace for running attempts, before the process ends by itself.
 */
const SPARE_MS = 5_000;

async function main(): Promise<void> {
  const { shutdownGrace: graceMs } = valuesOf(ENVIRONMENT, readEnvironment(ENVIRONMENT));
  // Its import reads the environment too: an error there must meet the `catch` below.
  const { default: config } = await import("../moleculer.config.ts");
  const broker = new ServiceBroker(config);
  broker.createService(TaskflowService());

  let isStopping = false;
  const stop = (signal: string): void => {
    if (isStopping) return;
    isStopping = true;
    broker.logger.info(`${signal}: draining; running attempts have ${graceMs} ms.`);
    setTimeout(() => {
      broker.logger.error("The stop took too long. What is stored is safe; the process ends now.");
      process.exit(1);
    }, graceMs + SPARE_MS).unref();
    broker.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        broker.logger.error("The stop failed. What is stored is safe.", error);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));

  await broker.start();
  broker.logger.info(`The coordinator ${broker.nodeID} is ready.`);
}

main().catch((error: unknown) => {
  console.error(`The coordinator could not start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
