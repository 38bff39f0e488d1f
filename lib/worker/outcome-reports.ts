import type { ServiceBroker } from "moleculer";
import type { WireOutcome } from "./outcome.ts";
import { maxMessageBytesOf } from "../adapters/moleculer/broker-link.ts";
import { fits, MESSAGE_FRAME } from "../protocol/chunks.ts";
import { REPORT_OUTCOME_ACTION } from "../protocol/names.ts";
import { RetryQueue } from "./retry-queue.ts";

const CALL_TIMEOUT_MS = 5_000;

/**
 * Reports outcomes to the coordinators until the owner of the taskflow has accepted them, in case
 * no caller waits for them any more.
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

  /** True: a coordinator has accepted it. */
  async #report(key: string, action: string, text: string): Promise<boolean> {
    const broker = this.#broker;
    // The coordinator that waits for it queries regularly, and gets it in chunks.
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
        broker.logger.debug(`The outcome of ${key} was not accepted by ${id}.`, error);
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
