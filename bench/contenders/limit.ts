/**
 * The durable limit: the bare bus with every step committed before the flow goes on, and nothing
 * else. The variant `events` also publishes what subscribers are owed. It cannot resume, retry
 * with a delay, list or validate: nothing that does can be faster.
 */
import type { ServiceBroker } from "moleculer";
import { type Contender, serveCounters, startWorker, stockNode } from "../contender.ts";
import { LimitEvents } from "../limit-events.ts";
import { type LimitLog, openMongoLog, openSqliteLog } from "../limit-log.ts";
import { type Answer, type Flow, type Job, work } from "../workloads.ts";

interface Request {
  readonly job: Job;
  readonly previous: readonly Answer[];
  readonly attempt: number;
}

async function runFlow(
  broker: ServiceBroker,
  log: LimitLog,
  flow: Flow,
  events: LimitEvents | undefined,
): Promise<readonly Answer[]> {
  let previous: readonly Answer[] = [];
  let place = 0;
  const runJob = async (job: Job, at: number, given: readonly Answer[]): Promise<Answer> => {
    events?.started(job.stage, job.index);
    const attempt = (number: number): Promise<Answer> =>
      broker.call<Answer, Request>("work.run", { job, previous: given, attempt: number });
    const answer = await (job.failsOnce ? attempt(0).catch(() => attempt(1)) : attempt(0));
    const text = JSON.stringify(answer);
    await log.write({ kind: "answered", flow: flow.id, place: at, text });
    events?.succeeded(job.stage, job.index, text);
    return answer;
  };
  for (const jobs of flow.stages) {
    const first = place;
    place += jobs.length;
    const given = previous;
    previous = await Promise.all(jobs.map((job, index) => runJob(job, first + index, given)));
  }
  return previous;
}

export const limit: Contender = {
  service: "limit",

  worker: ({ nats }) =>
    startWorker(nats, ({ params }) => {
      const { job, previous, attempt } = params as Request;
      return work(job, previous.length, attempt);
    }),

  async coordinator({ nats, store, variant }) {
    const broker = stockNode(nats, "coordinator");
    const log = store.startsWith("sqlite:") ? openSqliteLog(store.slice("sqlite:".length)) : await openMongoLog(store);
    broker.createService({
      name: "limit",
      actions: {
        async run({ params }) {
          const flow = params as Flow;
          await log.write({ kind: "taken", flow: flow.id, text: JSON.stringify(flow.stages) });
          const { client } = broker.transit!.tx as unknown as { client: ConstructorParameters<typeof LimitEvents>[0] };
          const events = variant === "events" ? new LimitEvents(client, flow) : undefined;
          const last = await runFlow(broker, log, flow, events);
          await log.write({ kind: "ended", flow: flow.id });
          events?.ended();
          return last;
        },
      },
    });
    serveCounters(broker, () => log.counters);
    await broker.start();
    await broker.waitForServices("work");
  },

  run: (client, flow) => client.call<readonly Answer[], Flow>("limit.run", flow),
};
