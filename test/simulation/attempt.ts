/** What the world knows of one attempt, whatever the engine thinks of it. */
import type { Outcome, OutcomeReply } from "../../lib/core/execution/inputs.ts";
import type { Incarnation } from "./incarnation.ts";

/** What one coordinator was told when it asked. */
export interface Told {
  /** Virtual time. */
  readonly at: number;
  readonly kind: OutcomeReply["kind"];
  readonly delivery: number;
}

export class AttemptRecord {
  readonly number: number;
  /** By the clock that the coordinators go by. */
  startedAt: number;
  /** Virtual time. */
  bornAt: number;
  /** Virtual time at which it was last sent. */
  sentAt: number | undefined;
  sentBy: Incarnation | undefined;
  /** Calls that were made, and those of them of which the bus said that they never left. */
  calls = 0;
  notSent = 0;
  /** Virtual time at which a coordinator was told last that a call of it never left. */
  turnedAwayAt: { readonly time: number; readonly by: Incarnation; readonly delivery: number } | undefined;
  /**
   * The highest delivery that was handed to the bus, and the highest that may have reached a
   * worker.
   */
  highestCalled = 0;
  highestLeft = 0;
  /** Deliveries that did not leave, and may: their numbers are used again. */
  readonly unsent = new Set<number>();
  /** Handlers that began to run. */
  executions = 0;
  /**
   * Virtual time since which a coordinator cannot count on hearing of it, and at which somebody
   * asked last.
   */
  suspectSince: number | undefined;
  askedAt = -1;
  /** Questions that are not answered. */
  readonly asking = new Set<{ readonly incarnation: Incarnation }>();
  /**
   * The replies to each coordinator, the latest one first, and the highest delivery that it was
   * told `never` of.
   */
  readonly replies = new Map<Incarnation, Told[]>();
  readonly nevers = new Map<Incarnation, number>();
  /** The highest delivery of which `never` was said to whoever stored that another one follows. */
  cleared = 0;
  /** Who heard first how it ended, as the owner with this fence, by the answer to a call. */
  answeredTo: { readonly incarnation: Incarnation; readonly fence: number; readonly at: number } | undefined;
  /** Outcomes that reached a living coordinator. */
  readonly told: Outcome[] = [];
  /** Deliveries of which nobody knows how they ended, as a coordinator was told. */
  readonly lost = new Set<number>();
  /**
   * Something happened after which a coordinator cannot know: a crash, a commit of which nothing
   * was known.
   */
  interrupted = false;

  constructor(number: number, startedAt: number, bornAt: number) {
    this.number = number;
    this.startedAt = startedAt;
    this.bornAt = bornAt;
  }

  /** Its latest call never left, and whoever sent it knows: there is nothing to ask about. */
  get isTurnedAway(): boolean {
    return this.turnedAwayAt?.by === this.sentBy && (this.turnedAwayAt?.time ?? -1) >= (this.sentAt ?? 0);
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

  hear(incarnation: Incarnation, told: Told): void {
    this.replies.set(incarnation, [told, ...(this.replies.get(incarnation) ?? [])]);
    if (told.kind === "never") this.nevers.set(incarnation, Math.max(told.delivery, this.nevers.get(incarnation) ?? 0));
  }

  latestReply(incarnation: Incarnation): Told | undefined {
    return this.replies.get(incarnation)?.[0];
  }

  isAskedBy(incarnation: Incarnation): boolean {
    for (const question of this.asking) if (question.incarnation === incarnation) return true;
    return false;
  }

  /** Whether it was told of this delivery that nobody knows. */
  isLost(delivery: number): boolean {
    return this.lost.has(delivery);
  }
}
