/** What the world knows of one attempt, whatever the engine thinks of it. */
import type { Outcome } from "../../lib/core/inputs.ts";

export class AttemptRecord {
  readonly number: number;
  readonly startedAt: number;
  /** Virtual time at which it was last sent. */
  sentAt: number | undefined;
  /** Calls that were made, and those of them of which the bus said that they never left. */
  calls = 0;
  notSent = 0;
  /** Outcomes that reached a living coordinator. */
  readonly told: Outcome[] = [];
  /** Something happened after which a coordinator cannot know: a crash, a commit of which nothing was known. */
  interrupted = false;

  constructor(number: number, startedAt: number) {
    this.number = number;
    this.startedAt = startedAt;
  }

  /** Calls that may have reached a worker. */
  get left(): number {
    return this.calls - this.notSent;
  }

  hasAnswered(response: string): boolean {
    return this.told.some((outcome) => outcome.kind === "answered" && outcome.response === response);
  }

  hasReportedFailure(response: string | undefined): boolean {
    return this.told.some((outcome) => outcome.kind === "answered" && outcome.reportedFailure && outcome.response === response);
  }

  hasFailed(message: string): Extract<Outcome, { kind: "failed" }> | undefined {
    return this.told.find((outcome) => outcome.kind === "failed" && outcome.error.message === message) as
      Extract<Outcome, { kind: "failed" }> | undefined;
  }

  get isLost(): boolean {
    return this.told.some((outcome) => outcome.kind === "unknown");
  }
}
