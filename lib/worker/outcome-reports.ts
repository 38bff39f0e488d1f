import type { ServiceBroker } from "moleculer";
import type { WireOutcome } from "./outcome.ts";
import { maxMessageBytesOf } from "../adapters/moleculer/broker-link.ts";
import { fits, MESSAGE_FRAME } from "../protocol/chunks.ts";
import { REPORT_OUTCOME_ACTION } from "../protocol/names.ts";
import { RetryQueue } from "./retry-queue.ts";

const CALL_TIMEOUT_MS = 5_000;

/**
 * Reports outcomes that perhaps no coordinator listens for any more, until the owner of the
 * taskflow has accepted them.
 */
export class OutcomeReports {
  readonly #broker: ServiceBroker;
  readonly #again: RetryQueue;

  constructor(broker: ServiceBroker, keepForMs: number) {
    this.#broker = broker;
    this.#again = new RetryQueue(keepForMs);
  }

  /** @param action the action that the attempt called */
  add(key: string, action: string, text: string): void {
    this.#again.add(key, () => this.#report(key, action, text));
  }

  /** True: somebody has taken it. */
  async #report(key: string, action: string, text: string): Promise<boolean> {
    const broker = this.#broker;
    // Whoever waits for it asks every so often, and gets it in parts.
    if (!fits(text, maxMessageBytesOf(broker) - MESSAGE_FRAME)) return true;
    const outcome = JSON.parse(text) as WireOutcome;
    const endpoints = broker.registry.actions.get(REPORT_OUTCOME_ACTION)?.endpoints ?? [];
    for (const { id } of endpoints.slice()) {
      try {
        const answer: unknown = await broker.call<unknown, unknown>(
          REPORT_OUTCOME_ACTION,
          { key, action, outcome },
          { nodeID: id, timeout: CALL_TIMEOUT_MS, retries: 0 },
        );
        if (isAccepted(answer)) return true;
      } catch (error) {
        broker.logger.debug(`The outcome of ${key} was not taken by ${id}.`, error);
      }
    }
    return false;
  }

  stop(): void {
    this.#again.stop();
  }
}

function isAccepted(answer: unknown): boolean {
  const { data } = (answer ?? {}) as { data?: { accepted?: unknown } | null };
  return data?.accepted === true;
}
