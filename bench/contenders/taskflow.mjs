// This project as a contender of the benchmark: plain workers and a client on Moleculer's stock transporter, a coordinator of its own process on
// SQLite (synchronous FULL), events on. Run by the harness, whose helpers are found beside the script that loads this file.
import path from "node:path";
import { pathToFileURL } from "node:url";

const script = process.argv[1];
const harness = path.basename(script) === "child.mjs" ? path.resolve(script, "../..") : path.dirname(script);
const helper = (name) => import(pathToFileURL(path.join(harness, "lib", name)).href);
const { makeBroker } = await helper("moleculer.mjs");
const { runTask } = await helper("task.mjs");

const definition = ({ id, stages }, options) => ({
  name: "bench",
  options,
  stages: stages.map((width, stage) => ({
    name: `s${stage}`,
    tasks: Array.from({ length: width }, (_, index) => ({
      name: `t${index}`,
      type: "ACTION",
      taskDetails: { serviceId: "work", actionName: "noop" },
      params: { flow: id, stage, index },
    })),
  })),
});

/** Past a quarter of `max_payload` a plain worker gets a reference, and asks for the rows page by page. */
async function previousStageRes(ctx) {
  const { previousStageRes: given, taskflow } = ctx.meta.taskflowExecutionContext;
  if (given?.$ref === undefined) return given;
  const rows = [];
  let cursor;
  do {
    const params = { taskflowId: taskflow.id, taskId: taskflow.taskId, cursor };
    const { data } = await ctx.broker.call("taskflow.getPreviousStageRes", params);
    rows.push(...data.rows);
    cursor = data.nextCursor;
  } while (cursor !== undefined);
  return rows;
}

export const make = (options) => ({
  title: `moleculer-taskflow, eventTree ${options.eventTree}`,
  durability: "every step is committed (SQLite, WAL, synchronous FULL) before anything tells of it",
  roles: {
    async worker({ nats }) {
      const broker = makeBroker(nats, "worker");
      broker.createService({
        name: "work",
        actions: {
          noop: {
            async handler(ctx) {
              const rows = await previousStageRes(ctx);
              return runTask({ ...ctx.params, prev: rows?.map((row) => row.response) });
            },
          },
        },
      });
      await broker.start();
    },
    async coordinator({ nats, dir }) {
      const { ServiceBroker } = await import("moleculer");
      const { NatsTransporter, TaskflowService } = await import("../../lib/index.ts");
      const transporter = new NatsTransporter({ url: nats });
      const broker = new ServiceBroker({ namespace: "bench", nodeID: "coordinator", logger: false, transporter });
      broker.createService(TaskflowService({ store: `sqlite:${path.join(dir, "flows.db")}` }));
      await broker.start();
      await broker.waitForServices("work");
    },
  },
  async start(h) {
    const nats = await h.nats();
    await h.fork("worker", { nats });
    await h.fork("coordinator", { nats, dir: h.dir });
    const broker = makeBroker(nats, "client");
    await broker.start();
    await broker.waitForServices("taskflow");
    return {
      async run(flow) {
        const { data } = await broker.call("taskflow.produce", definition(flow, options));
        const last = `s${flow.stages.length - 1}`;
        const done = await broker.call("taskflow.waitForTaskflow", { taskflowId: data.taskflowId, stages: [last] });
        const [stage] = Object.values(done.data.stages);
        return Object.values(stage.tasks).map((task) => task.response);
      },
      stop: () => broker.stop(),
    };
  },
});

export default make({ eventTree: "state" });
