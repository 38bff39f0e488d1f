/** Asking for the outcome of an attempt: whom, how often, and what the answers mean. */
import type { ServiceBroker } from "moleculer";
import type { OutcomeQuery, Reply } from "../../ports/dispatch.ts";
import { joinOutcome, LONGEST_OUTCOME } from "../../protocol/large-outcome.ts";
import { LEDGER_KEY, OUTCOME_ACTION } from "../../protocol/names.ts";
import { toldOutcome } from "../../protocol/call-outcome.ts";
import { backoff } from "../../util/timer.ts";
import { Semaphore } from "../../util/semaphore.ts";
import type { KnownWorkers, OutcomeEndpoint } from "./worker-registry.ts";

/** For all parts of one: a worker that makes them ever smaller is not waited for. */
const FETCH_MS = 60_000;
/** What is fetched at the same time is in memory beside what has come. */
const fetching = new Semaphore(8);

/** For one answer; an answer that takes longer is not heard. */
const TRY_MS = 2_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

/** @returns what ends the asking, without an answer */
export function queryWorker(
  broker: ServiceBroker,
  workers: KnownWorkers,
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
    timer = setTimeout(() => void round(), Math.min(pause(), left));
  };
  const round = async (): Promise<void> => {
    const target = whomToAsk(broker, workers, question);
    if (target === "nobody") return end({ kind: "silent" });
    if (target === "later") return later();
    // The answer may be made as late as it may be heard: that much older the attempt is by then.
    const ageMs = question.ageMs + (performance.now() - startedAt) + TRY_MS;
    const reply = await queryOnce(broker, target, question, ageMs, () => isOver);
    if (reply) end(reply);
    else later();
  };
  timer = setTimeout(() => void round(), 0);
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}

/** Enough of a process's id to tell it from the other processes of its node. */
export const shortInstance = (instanceID: string): string => instanceID.slice(0, 13);

interface Target {
  readonly action: string;
  readonly node: string;
}

/** The node itself, or one that shares its ledger. Nobody: no later moment can change that. */
function whomToAsk(
  broker: ServiceBroker,
  workers: KnownWorkers,
  { target: action, node }: OutcomeQuery,
): Target | "later" | "nobody" {
  const candidates = endpointsFor(broker, action);
  const itself = candidates.find(({ endpoint }) => endpoint.id === node) ?? candidates.find(({ endpoint }) => isShared(endpoint));
  if (itself) return { action: itself.name, node: itself.endpoint.id };
  const { available } = (broker.registry.nodes.get(node) ?? {}) as { available?: boolean };
  if (!available) return workers.isGoneForGood(node) ? "nobody" : "later";
  // There, without the mixin; or there, and its service is not yet.
  const offers = (broker.registry.actions.get(action)?.endpoints ?? []) as readonly { id: string }[];
  return offers.some(({ id }) => id === node) ? "nobody" : "later";
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

/** What a worker may say. */
interface Told {
  readonly state?: unknown;
  readonly outcome?: unknown;
  readonly quietMs?: unknown;
  readonly instance?: unknown;
  readonly part?: unknown;
}

/** Undefined: no answer, or one that says nothing yet. */
async function queryOnce(
  broker: ServiceBroker,
  { action, node }: Target,
  { key, delivery, process }: OutcomeQuery,
  ageMs: number,
  isOver: () => boolean,
): Promise<Reply | undefined> {
  const options = { nodeID: node, timeout: TRY_MS, retries: 0, tracking: false };
  const ask = (offset?: number): Promise<Told> => broker.call<Told, unknown>(action, { key, delivery, ageMs, offset }, options);
  try {
    const answer = (await ask()) as Told | null;
    if (answer?.state !== "done" || answer.part === undefined) return replyOf(answer, process);
    const { part } = answer;
    const outcome = await fetching.run(() => {
      const until = performance.now() + FETCH_MS;
      return joinOutcome(part, LONGEST_OUTCOME, async (offset) => {
        if (isOver() || performance.now() > until) throw new Error(`it took longer than ${FETCH_MS} ms, or nobody waits for it`);
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

function replyOf(answer: Told | null, process: string | undefined): Reply {
  const { state, outcome: told, quietMs, instance } = answer ?? {};
  if (state === "running") return isDuration(quietMs) ? { kind: "running", quietMs } : { kind: "running" };
  if (state === "interrupted") return { kind: state };
  // Another process may have had a ledger of its own, or a clock that has stepped since.
  if (state === "never" && typeof instance === "string" && shortInstance(instance) === process) return { kind: state };
  const outcome = state === "done" ? toldOutcome(told, Date.now()) : undefined;
  return outcome ? { kind: "done", outcome } : { kind: "silent" };
}
