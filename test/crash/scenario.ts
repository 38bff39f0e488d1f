/**
 * One crash point: a coordinator is killed there, the next one goes on, and what is left must be
 * what it would have been.
 */
import { isDeepStrictEqual } from "node:util";
import { getEventsEndpoint, isTaskflowError, NatsTransporter, TaskflowClient } from "../../lib/index.ts";
import type { TaskDetails, TaskflowDetails, TaskflowEvent } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { createNode, type TestNode } from "../helpers/nodes.ts";
import { startProcess, type TestProcess } from "../helpers/processes.ts";
import { uniqueNamespace } from "../helpers/unique.ts";
import { COPY, CALL_IDS, RECORDED_CALLS } from "./recorded-calls.ts";
import { briefFlow, mainFlow, waitingFlow, Workers } from "./flow.ts";
import type { CrashPoint } from "./points.ts";
import { type Path, pathTo } from "./paths.ts";

export interface ScenarioOptions {
  readonly natsUrl: string;
  /** `TASKFLOW_STORE`. */
  readonly store: string;
  /** For what Node has compiled: shared by all. */
  readonly compiled: string;
}

/** What must be the same with a crash and without. */
export type Result = Record<string, unknown>;

const CALL_MS = 2_000;
const INCARNATION_MS = 60_000;
const LEASE_MS = 1_500;

/**
 * Runs what leads to the point, with a crash there; without a point everything that there is, and
 * no crash. Answers what became of it. Rejects with what is wrong.
 */
export async function scenario(options: ScenarioOptions, point?: CrashPoint): Promise<Result> {
  const site = await Site.open(options);
  try {
    const path: Path = point === undefined ? { provoke: "calls" } : pathTo(point);
    if (path.prelude) await site.live(path.prelude, path.hasEnded ? { hasEnded: true } : {});
    if (point) await site.live(point, path);
    return await site.finish(path);
  } catch (error) {
    if (error instanceof Error) error.message += `\n${site.output}`;
    throw error;
  } finally {
    await site.close();
  }
}

class Site {
  readonly #options: ScenarioOptions;
  readonly #namespace = uniqueNamespace();
  readonly #workers = new Workers();
  readonly #node: TestNode;
  readonly #client: TaskflowClient;
  readonly #incarnations: TestProcess[] = [];
  /** What was announced of each change, by taskflow and `seq`. */
  readonly #told = new Map<string, string>();
  readonly #contradictions: string[] = [];

  private constructor(options: ScenarioOptions) {
    this.#options = options;
    const transporter = new NatsTransporter({ url: options.natsUrl });
    const namespace = this.#namespace;
    this.#node = createNode(transporter, { namespace, nodeID: "worker", services: this.#workers.services });
    this.#client = new TaskflowClient(this.#node.broker, { timeout: CALL_MS, retries: 0 });
    transporter.subscribeRaw(getEventsEndpoint("*", true, namespace), (message) => this.#heard(message.string()));
  }

  static async open(options: ScenarioOptions): Promise<Site> {
    const site = new Site(options);
    await site.#node.broker.start();
    return site;
  }

  get output(): string {
    return this.#incarnations
      .map((incarnation, index) => `--- incarnation ${index + 1}\n${incarnation.stdout}${incarnation.stderr}`)
      .join("\n");
  }

  #heard(text: string): void {
    const event = JSON.parse(text) as TaskflowEvent;
    const change = `${event.data.taskflowId} ${event.seq}`;
    const told = changeOf(event);
    const before = this.#told.get(change);
    if (before !== undefined && before !== told) this.#contradictions.push(`${change} was ${before} and then ${told}`);
    this.#told.set(change, told);
  }

  #start(point?: CrashPoint, retention?: string): TestProcess {
    const { natsUrl, store, compiled } = this.#options;
    const incarnation = startProcess("test/crash/coordinator.ts", {
      env: {
        NODE_ID: "coordinator",
        NAMESPACE: this.#namespace,
        NATS_URL: natsUrl,
        TASKFLOW_STORE: store,
        TASKFLOW_LEASE: String(LEASE_MS),
        TASKFLOW_SHUTDOWN_GRACE: "5s",
        NODE_COMPILE_CACHE: compiled,
        TASKFLOW_RETENTION: retention,
        CRASH_AT: point,
        IS_FIRST_LIFE: this.#incarnations.length === 0 ? "yes" : undefined,
      },
    });
    this.#incarnations.push(incarnation);
    return incarnation;
  }

  /** An incarnation that ends at the point, by its own hand. */
  async live(point: CrashPoint, path: Path): Promise<void> {
    const incarnation = this.#start(point, path.retention);
    // What it does to get there may fail, or never be answered, for it is killed in the middle.
    const way = this.#go(incarnation, path).catch(() => undefined);
    await eventually(() => incarnation.exit ?? fail(`the point "${point}" was not reached`), { timeoutMs: INCARNATION_MS });
    await way;
    const { signal, code } = await incarnation.exited;
    if (signal !== "SIGKILL") fail(`it was to be killed at "${point}" and ended with code ${code}`);
  }

  async #go(incarnation: TestProcess, { provoke, hasEnded }: Path): Promise<void> {
    const client = this.#client;
    const unlessDead = <CommandResult>(call: () => Promise<CommandResult>): Promise<CommandResult | undefined> =>
      eventually(async () => (incarnation.exit ? undefined : call()), { timeoutMs: INCARNATION_MS });
    if (hasEnded && this.#incarnations.length === 1) {
      await unlessDead(() => client.produce(briefFlow("brief")));
      await unlessDead(() => client.waitForTaskflow("brief"));
    }
    await unlessDead(() => client.produce(mainFlow("main")));
    if (provoke === "stop") {
      await unlessDead(() => client.produce(waitingFlow("waiting")));
      await unlessDead(async () => {
        const { statusReason } = await client.getTask("waiting", "patient");
        if (statusReason !== "RETRY_DELAY") fail("its first attempt has not failed yet");
      });
      incarnation.kill("SIGTERM");
    }
    if (provoke === "lapse") await freeze(incarnation);
    if (provoke === "calls") for (const recorded of RECORDED_CALLS) await unlessDead(() => recorded(client));
    if (provoke === "delete") {
      await unlessDead(() => client.produce(briefFlow("brief")));
      await unlessDead(() => this.#delete("brief"));
    }
  }

  async #delete(taskflowId: string): Promise<void> {
    await this.#client.deleteTaskflow(taskflowId).catch((error: unknown) => {
      if (!isTaskflowError(error, "TASKFLOW_NOT_FOUND")) throw error;
    });
  }

  /** An incarnation without a crash, and what is left in the end. */
  async finish({ provoke, retention }: Path): Promise<Result> {
    const incarnation = this.#start();
    const client = this.#client;
    const ids = ["main", ...(provoke === "stop" ? ["waiting"] : [])];
    // The same ones again: what is stored already is not begun anew.
    await eventually(() => client.produce(mainFlow("main")), { timeoutMs: INCARNATION_MS });
    if (provoke === "delete") {
      await eventually(() => this.#delete("brief"));
      await client.getTaskflowDetails("brief").then(
        () => fail("a taskflow that was deleted is there"),
        (error: unknown) => isTaskflowError(error, "TASKFLOW_NOT_FOUND") || fail(String(error)),
      );
    }
    if (provoke === "calls") {
      for (const recorded of RECORDED_CALLS) await eventually(() => recorded(client), { timeoutMs: INCARNATION_MS });
      ids.push(...CALL_IDS);
      const { status } = await client.getTaskflowDetails(COPY);
      if (status !== "COMPLETED") fail(`the copy is ${status}`);
    }
    if (retention) {
      const brief = await client
        .getTaskflowDetails("brief")
        .catch((error: unknown) => isTaskflowError(error, "TASKFLOW_NOT_FOUND") || fail(String(error)));
      if (brief !== true && brief.status !== "COMPLETED") fail(`a taskflow whose time is over is ${brief.status}`);
    }
    const trees = await Promise.all(ids.map((id) => client.waitForTaskflow(id, { timeout: INCARNATION_MS })));
    for (const tree of trees) await this.#checkEvents(tree);
    this.#checkRuns();
    // What was given up below another is cancelled a moment later.
    await eventually(async () => {
      const { owned, inFlight } = (await client.health()) as { owned: number; inFlight: number };
      if (owned + inFlight !== 0) fail(`${owned} taskflows are still driven, with ${inFlight} attempts`);
    });
    await incarnation.end("SIGTERM");
    return Object.fromEntries(trees.map((tree) => [tree.taskflowId, resultOf(tree)]));
  }

  /** The history has no gap and ends with the end; all of it was announced, and nothing else. */
  async #checkEvents({ taskflowId, status }: TaskflowDetails): Promise<void> {
    const history: TaskflowEvent[] = [];
    const subscription = await this.#client.subscribeToTaskflowEvents(taskflowId, (event) => void history.push(event));
    subscription.unsubscribe();
    const seqs = history.map(({ seq }) => seq);
    if (
      !isDeepStrictEqual(
        seqs,
        Array.from(seqs, (_, index) => index + 1),
      )
    )
      fail(`the history has the events ${seqs.join()}`);
    // What is undone after the end is told of behind it.
    const last = history.findLast(({ eventType }) => eventType === "TASKFLOW");
    if (changeOf(last) !== `TASKFLOW ${status}`) fail(`the history ends with ${changeOf(last)}, and it is ${status}`);
    const ends = history.filter((event) => changeOf(event).endsWith(" SUCCESS")).map(changeOf);
    if (new Set(ends).size !== ends.length) fail(`an outcome is told twice: ${ends.join("; ")}`);
    await eventually(() => {
      const unheard = seqs.filter((seq) => !this.#told.has(`${taskflowId} ${seq}`));
      if (unheard.length > 0) fail(`the events ${unheard.join()} of ${seqs.length} were never announced`);
    });
    for (const event of history) {
      const told = this.#told.get(`${taskflowId} ${event.seq}`);
      if (told !== changeOf(event)) fail(`event ${event.seq} is ${changeOf(event)} and was announced as ${told}`);
    }
    if (this.#contradictions.length > 0) fail(this.#contradictions.join("; "));
  }

  /** Workers that remember run an attempt once; the others at most once for each incarnation. */
  #checkRuns(): void {
    for (const [key, runs] of Map.groupBy(this.#workers.runs, (run) => run.key)) {
      const most = runs[0]?.isLedgered ? 1 : this.#incarnations.length + 1;
      if (runs.length > most)
        fail(`${key} ran ${runs.length} times, for the deliveries ${runs.map((run) => run.delivery).join()}`);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#incarnations.map((incarnation) => incarnation.end("SIGKILL")));
    await this.#node.broker.stop();
  }
}

/** For longer than its lease. */
async function freeze(incarnation: TestProcess): Promise<void> {
  const until = performance.now() + 1.2 * LEASE_MS;
  incarnation.kill("SIGSTOP");
  await eventually(() => performance.now() > until || fail("its lease is not over"));
  incarnation.kill("SIGCONT");
}

function fail(what: string): never {
  throw new Error(what);
}

function changeOf(event: TaskflowEvent | undefined): string {
  switch (event?.eventType) {
    case "TASK":
      return `TASK ${event.data.taskId} ${event.data.attempt} ${event.data.taskStatus}`;
    case "STAGE":
      return `STAGE ${event.data.stageId} ${event.data.stageStatus}`;
    case "TASKFLOW":
      return `TASKFLOW ${event.data.taskflowStatus}`;
    default:
      return String(event?.eventType);
  }
}

/** What a task answers that was given up is kept if it is heard. */
function settled({ name, status, response, attempt }: TaskDetails): unknown {
  return { name, status, attempt, ...(status === "CANCELLED" ? {} : { response }) };
}

function resultOf({ status, progress, stages }: TaskflowDetails): unknown {
  const named = Object.values(stages).map(({ name, status: stageStatus, tasks }) => [
    name,
    stageStatus,
    Object.values(tasks).map(settled),
  ]);
  return { status, progress, stages: named };
}
