import type { Outcome } from "../../core/execution/inputs.ts";
import type { Call, Dispatch } from "../../ports/dispatch.ts";
import { Semaphore } from "../../util/semaphore.ts";
import { toTaskError } from "../../protocol/kept-error.ts";

/** How long somebody is asked for an answer that is to be fetched, once it is its turn. */
const PATIENCE_MS = 10_000;
/** Each may be of megabytes: more at a time would only make each wait for the others' parts. */
const AT_ONCE = 4;
/** The age of a finished attempt in queries: it can never be refused as too old or too young. */
const LONG_AGO_MS = 10 * 365 * 86_400_000;

/**
 * Fetches answers that do not fit into a message from the workers' ledgers. The call itself has
 * shown that the work is done.
 */
export class LargeAnswers {
  readonly #lanes = new Semaphore(AT_ONCE);
  readonly #ask: Dispatch["queryOutcome"];

  constructor(ask: Dispatch["queryOutcome"]) {
    this.#ask = ask;
  }

  /** @returns what ends it, without an outcome */
  fetch({ target, node, idempotencyKey: key, delivery }: Call, done: (outcome: Outcome) => void): () => void {
    let isOver = false;
    let end = (): void => undefined;
    void this.#lanes.run(
      () =>
        new Promise<void>((leave) => {
          if (isOver) return leave();
          const question = { target, node, key, delivery, ageMs: LONG_AGO_MS, patienceMs: PATIENCE_MS };
          const stop = this.#ask(question, (reply) => {
            leave();
            done(reply.kind === "done" ? reply.outcome : lost(node));
          });
          end = () => {
            stop();
            leave();
          };
        }),
    );
    return () => {
      isOver = true;
      end();
    };
  }
}

function lost(nodeID: string): Outcome {
  const message = "The work was done, but its answer, which does not fit into a message, could not be fetched from the worker.";
  return { kind: "unknown", error: { ...toTaskError(new Error(message)), type: "WORKER_LOST", nodeID } };
}
