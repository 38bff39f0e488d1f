import type { Answer } from "../../core/model/command.ts";
import type { Input } from "../../core/execution/inputs.ts";
import type { GivenAnswer } from "../../core/execution/step.ts";

/** The orders that wait in mailboxes and commits, by their tickets. Each is answered, or lost, once. */
export class OrderBook {
  readonly #waiting = new Map<number, (answer: Answer | undefined) => void>();
  #last = 0;

  /** `answered`: undefined if it was lost. */
  open(): { ticket: number; answered: Promise<Answer | undefined> } {
    const ticket = ++this.#last;
    return { ticket, answered: new Promise((resolve) => this.#waiting.set(ticket, resolve)) };
  }

  give(answers: readonly GivenAnswer[]): void {
    for (const { ticket, answer } of answers) this.#settle(ticket, answer);
  }

  /** Nothing of these is stored, nor will be: whoever gave an order among them looks for the taskflow anew. */
  lose(inputs: readonly Input[]): void {
    for (const input of inputs) if (input.kind === "command") this.#settle(input.ticket, undefined);
  }

  #settle(ticket: number, answer: Answer | undefined): void {
    this.#waiting.get(ticket)?.(answer);
    this.#waiting.delete(ticket);
  }
}
