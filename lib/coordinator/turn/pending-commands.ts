import type { CommandResult } from "../../core/model/command.ts";
import type { Input } from "../../core/execution/inputs.ts";
import type { CommandReply } from "../../core/execution/step.ts";

/**
 * The commands that wait in mailboxes and commits, by correlation id. Each is answered, or lost,
 * once.
 */
export class PendingCommands {
  readonly #waiting = new Map<number, (answer: CommandResult | undefined) => void>();
  #last = 0;

  /** `answered`: undefined if it was lost. */
  open(): { correlationId: number; answered: Promise<CommandResult | undefined> } {
    const correlationId = ++this.#last;
    return { correlationId, answered: new Promise((resolve) => this.#waiting.set(correlationId, resolve)) };
  }

  give(answers: readonly CommandReply[]): void {
    for (const { correlationId, answer } of answers) this.#settle(correlationId, answer);
  }

  /** Nothing of these commands is or will be stored: their callers look for the taskflow again. */
  lose(inputs: readonly Input[]): void {
    for (const input of inputs) if (input.kind === "command") this.#settle(input.correlationId, undefined);
  }

  #settle(correlationId: number, answer: CommandResult | undefined): void {
    this.#waiting.get(correlationId)?.(answer);
    this.#waiting.delete(correlationId);
  }
}
