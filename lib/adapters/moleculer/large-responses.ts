import type { Outcome } from "../../core/execution/inputs.ts";
import type { Call, Dispatch } from "../../ports/dispatch.ts";
import { Semaphore } from "../../util/semaphore.ts";
import { toTaskError } from "../../protocol/kept-error.ts";

/** How long a node is queried for a large response, counted from the response's turn. */
const PATIENCE_MS = 10_000;
/** Each may have megabytes: with more at a time, each would only wait for the others' chunks. */
const AT_ONCE = 4;
/** The age of a finished attempt in queries: never too old or too young to be answered. */
const LONG_AGO_MS = 10 * 365 * 86_400_000;

/**
 * Fetches responses that do not fit into a message from the workers' ledgers. The call itself has
 * shown that the attempt is done.
 */
export class LargeResponses {
  readonly #lanes = new Semaphore(AT_ONCE);
  readonly #ask: Dispatch["queryOutcome"];

  constructor(ask: Dispatch["queryOutcome"]) {
    this.#ask = ask;
  }

  /** @returns a function that ends it without an outcome */
  fetch({ target, node, idempotencyKey: key, delivery }: Call, done: (outcome: Outcome) => void): () => void {
    let isOver = false;
    let end = (): void => undefined;
    const fetched = this.#lanes.run(
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
    fetched.catch(() => {
      if (!isOver) done(lost(node));
    });
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
