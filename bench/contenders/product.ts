/**
 * This project with everything on: plain workers and a client on Moleculer's stock transporter.
 * The variant is the option `eventTree`.
 */
import { type Context, ServiceBroker } from "moleculer";
import { storeOf } from "../../lib/adapters/open-store.ts";
import { NatsTransporter, type PreviousStageResponse, type TaskflowExecutionContext, TaskflowService } from "../../lib/index.ts";
import type { Store, Write } from "../../lib/ports/store.ts";
import { type Contender, type Counters, NAMESPACE, serveCounters, startWorker } from "../contender.ts";
import { countCommands } from "../mongo-commands.ts";
import { type Answer, type Flow, type Job, work } from "../workloads.ts";

/** What of an answer's `data` is looked at here. */
interface Data {
  readonly taskflowId: string;
  readonly rows: PreviousStageResponse[];
  readonly nextCursor?: string;
  readonly stages: Record<string, { tasks: Record<string, { response: Answer }> }>;
}

/** A slow store takes its time for 200 stages. */
const WAIT_MS = 600_000;

async function call(broker: ServiceBroker, action: string, params: object): Promise<Data> {
  const { data } = await broker.call<{ data: Data }, object>(`taskflow.${action}`, params);
  return data;
}

/**
 * Past a quarter of `max_payload` a plain worker gets a reference, and asks for the rows page by
 * page.
 */
async function previousStageRes(broker: ServiceBroker, context: TaskflowExecutionContext): Promise<PreviousStageResponse[]> {
  const { previousStageRes: given = [], taskflow } = context;
  if (Array.isArray(given)) return given;
  const rows: PreviousStageResponse[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const params = { taskflowId: taskflow.id, taskId: taskflow.taskId, ...(cursor === "" ? {} : { cursor }) };
    const page = await call(broker, "getPreviousStageRes", params);
    rows.push(...page.rows);
    cursor = page.nextCursor;
  }
  return rows;
}

/** Transactions of SQLite and statements in them. */
function countCommits(store: Store): Counters {
  const counters = { commands: 0, operations: 0 };
  const commit = store.commit.bind(store);
  const statements = (write: Write): number => (write.kind === "create" || write.row ? 2 : 1);
  store.commit = (writes) => {
    counters.commands++;
    for (const write of writes) counters.operations += statements(write);
    return commit(writes);
  };
  return counters;
}

export const product: Contender = {
  service: "taskflow",

  worker: ({ nats }) =>
    startWorker(nats, async (ctx: Context) => {
      const context = (ctx.meta as { taskflowExecutionContext: TaskflowExecutionContext }).taskflowExecutionContext;
      const rows = await previousStageRes(ctx.broker, context);
      return work(ctx.params as Job, rows.length, context.taskflow.taskInfo.attempt);
    }),

  async coordinator({ nats, store: url, nodeID = "coordinator" }) {
    const store = storeOf(url);
    const transporter = new NatsTransporter({ url: nats });
    const broker = new ServiceBroker({ namespace: NAMESPACE, nodeID, logger: false, transporter });
    const counters = url.startsWith("mongodb:") ? countCommands() : countCommits(store);
    broker.createService(TaskflowService({ store }));
    serveCounters(broker, () => counters);
    await broker.start();
    await broker.waitForServices("work");
  },

  async run(client, flow, { variant }) {
    const { taskflowId } = await call(client, "produce", definitionOf(flow, variant));
    const last = `s${flow.stages.length - 1}`;
    const { stages } = await call(client, "waitForTaskflow", { taskflowId, stages: [last], timeout: WAIT_MS });
    return Object.values(stages).flatMap(({ tasks }) => Object.values(tasks).map(({ response }) => response));
  },
};

function definitionOf({ stages }: Flow, eventTree: string): object {
  const taskDetails = { serviceId: "work", actionName: "run" };
  const taskOf = (job: Job): object => ({
    name: `t${job.index}`,
    type: "ACTION",
    taskDetails,
    params: job,
    ...(job.failsOnce ? { options: { maxRetries: 1, retryDelay: 1 } } : {}),
  });
  return {
    name: "bench",
    options: { eventTree },
    stages: stages.map((jobs, index) => ({ name: `s${index}`, tasks: jobs.map(taskOf) })),
  };
}
