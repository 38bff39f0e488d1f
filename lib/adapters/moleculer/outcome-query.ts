/** Queries the outcome of an attempt: which nodes, how often, and what their answers mean. */
import type { ServiceBroker } from "moleculer";
import type { OutcomeQuery, Reply } from "../../ports/dispatch.ts";
import { joinOutcome, LONGEST_OUTCOME } from "../../protocol/large-outcome.ts";
import { LEDGER_KEY, OUTCOME_ACTION } from "../../protocol/names.ts";
import { outcomeOf } from "../../protocol/call-outcome.ts";
import { backoff } from "../../util/timer.ts";
import { Semaphore } from "../../util/semaphore.ts";
import type { WorkerRegistry, OutcomeEndpoint } from "./worker-registry.ts";

/** For all chunks of one outcome: a worker that sends ever smaller ones is given up. */
const FETCH_MS = 60_000;
/** Outcomes that are fetched at the same time are in memory beside those already received. */
const fetching = new Semaphore(8);

/** For one answer; a later one is ignored. */
const TRY_MS = 2_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

/** @returns a function that ends the query without an answer */
export function queryWorker(
  broker: ServiceBroker,
  workers: WorkerRegistry,
  question: OutcomeQuery,
  done: (reply: Reply) => void,
): () => void {
  const startedAt = performance.now();
  const pause = backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;

  const end = (reply: Reply): void => {
    if (isOver) return;
    isOver = true;
    done(reply);
  };
  const later = (): void => {
    if (isOver) return;
    const left = question.patienceMs - (performance.now() - startedAt);
    if (left <= 0) return end({ kind: "silent" });
    timer = setTimeout(ask, Math.min(pause(), left));
  };
  const round = async (): Promise<void> => {
    const target = whomToAsk(broker, workers, question);
    if (target === "none") return end({ kind: "silent" });
    if (target === "later") return later();
    // The answer may be made as late as it is accepted: by then the attempt is that much older.
    const ageMs = question.ageMs + (performance.now() - startedAt) + TRY_MS;
    const reply = await queryOnce(broker, target, question, ageMs, () => isOver);
    if (reply) end(reply);
    else later();
  };
  const ask = (): void => {
    round().catch((error: unknown) => {
      broker.logger.error(`The outcome of ${question.key} could not be asked for.`, error);
      later();
    });
  };
  timer = setTimeout(ask, 0);
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}

/** Enough of a process's id to distinguish it from other processes of its node. */
export const shortInstance = (instanceID: string): string => instanceID.slice(0, 13);

interface Target {
  readonly action: string;
  readonly node: string;
}

/**
 * The node itself, or one that shares its ledger. Without either, no later query can find the
 * outcome.
 */
function whomToAsk(
  broker: ServiceBroker,
  workers: WorkerRegistry,
  { target: action, node }: OutcomeQuery,
): Target | "later" | "none" {
  const candidates = endpointsFor(broker, action);
  const itself = candidates.find(({ endpoint }) => endpoint.id === node) ?? candidates.find(({ endpoint }) => isShared(endpoint));
  if (itself) return { action: itself.name, node: itself.endpoint.id };
  const { available } = (broker.registry.nodes.get(node) ?? {}) as { available?: boolean };
  if (!available) return workers.isGoneForGood(node) ? "none" : "later";
  // Present, without the mixin; or present, and its service is not yet.
  const offers = (broker.registry.actions.get(action)?.endpoints ?? []) as readonly { id: string }[];
  return offers.some(({ id }) => id === node) ? "none" : "later";
}

/**
 * Endpoints of `<service>.taskflowOutcome`. Service names may have dots: the longest existing one
 * counts.
 */
function endpointsFor(broker: ServiceBroker, action: string): { name: string; endpoint: OutcomeEndpoint }[] {
  for (let dot = action.lastIndexOf("."); dot > 0; dot = action.lastIndexOf(".", dot - 1)) {
    const name = `${action.slice(0, dot)}.${OUTCOME_ACTION}`;
    const endpoints = (broker.registry.actions.get(name)?.endpoints ?? []) as unknown as readonly OutcomeEndpoint[];
    const available = endpoints.filter(({ isAvailable }) => isAvailable);
    if (available.length > 0) return available.map((endpoint) => ({ name, endpoint }));
  }
  return [];
}

const isShared = ({ action }: OutcomeEndpoint): boolean => action[LEDGER_KEY]?.isShared === true;

/** The possible answers of a worker. */
interface WorkerAnswer {
  readonly state?: unknown;
  readonly outcome?: unknown;
  readonly quietMs?: unknown;
  readonly instance?: unknown;
  readonly part?: unknown;
}

/** Undefined: no answer, or an inconclusive one. */
async function queryOnce(
  broker: ServiceBroker,
  { action, node }: Target,
  { key, delivery, process }: OutcomeQuery,
  ageMs: number,
  isOver: () => boolean,
): Promise<Reply | undefined> {
  const options = { nodeID: node, timeout: TRY_MS, retries: 0, tracking: false };
  const ask = (offset?: number): Promise<WorkerAnswer> =>
    broker.call<WorkerAnswer, unknown>(action, { key, delivery, ageMs, offset }, options);
  try {
    const answer = (await ask()) as WorkerAnswer | null;
    if (answer?.state !== "done" || answer.part === undefined) return replyOf(answer, process);
    const { part } = answer;
    const outcome = await fetching.run(() => {
      const until = performance.now() + FETCH_MS;
      return joinOutcome(part, LONGEST_OUTCOME, async (offset) => {
        if (isOver() || performance.now() > until) throw new Error(`it took longer than ${FETCH_MS} ms, or is no longer needed`);
        return (await ask(offset)).part;
      });
    });
    return replyOf({ state: "done", outcome }, process);
  } catch (error) {
    broker.logger.debug(`${node} did not answer for ${key}.`, error);
    return undefined;
  }
}

const isDuration = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0;

function replyOf(answer: WorkerAnswer | null, process: string | undefined): Reply {
  const { state, outcome: given, quietMs, instance } = answer ?? {};
  if (state === "running") return isDuration(quietMs) ? { kind: "running", quietMs } : { kind: "running" };
  if (state === "interrupted") return { kind: state };
  // Another process may have used another ledger, or a clock that has stepped since.
  if (state === "never" && typeof instance === "string" && shortInstance(instance) === process) return { kind: state };
  const outcome = state === "done" ? outcomeOf(given, Date.now()) : undefined;
  return outcome ? { kind: "done", outcome } : { kind: "silent" };
}
