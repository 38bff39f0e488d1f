/**
 * How often what happened: a run over many seeds in which something never did has tested less
 * than it says.
 */
import { FAULTS } from "./faults.ts";

const FACTS = [
  "created",
  "owned",
  "flow RUNNING",
  "flow COMPLETED",
  "flow PARTIAL_COMPLETED",
  "flow FAILED",
  "stage RUNNING",
  "stage COMPLETED",
  "stage PARTIAL_COMPLETED",
  "stage FAILED",
  "flow PAUSED",
  "flow CANCELLED",
  "stage CANCELLED",
  "stage WAITING",
  "settled CANCELLED",
  "settled SKIPPED",
  "reset",
  "selected",
  "late-response",
  "paused",
  "updated",
  "annotated",
  "command-handled",
  "started",
  "redelivered",
  "withdrawn",
  "undelivered",
  "accepted",
  "delayed",
  "settled SUCCESS",
  "settled FAILED",
  "blocking failure",
  "abort of the taskflow",
  "conflicting owner's entry",
  "error TASK_TIMEOUT",
  "error MAX_AGE_EXCEEDED",
  "error TASK_OUTCOME_UNKNOWN",
  "error TASK_REPORTED_FAILURE",
  "error WORKER_LOST",
  "error EXPECTED_ERROR",
  "error PERMANENT",
  "error RETRYABLE",
  "taskflow past its maxAge",
] as const;

const INPUTS = [
  "produce",
  "produce of an id again",
  "produce answered existing",
  "produce refused",
  "produce overloaded",
  "produce unanswered",
  "answer answered",
  "answer failed",
  "answer unknown",
  "answer not-sent",
  "answer success false",
  "answer with retryAfter",
  "answer of an older attempt",
  "answer during the retry delay",
  "answer after the end",
  "late success taken",
  "answers out of order",
  "retry after a delay",
  "recovery of a running attempt",
  "reply done",
  "reply running",
  "reply interrupted",
  "reply never",
  "reply silent",
  "reply about an older delivery",
  "reply to somebody who is not the owner",
  "delivery answered from memory",
  "delivery joined",
  "delivery refused",
  "order passed on",
  "report accepted",
  "report declined",
  "workers changed",
  "flow with maxAge",
  "task with exactly-once",
  "task with continueOnTaskFailure",
  "task without limit of retries",
] as const;

/** Each kind of order, by what its giver is told. */
const COMMANDS = [
  ...["cancel", "retry", "pause", "resume", "cancelTask", "resolveTask", "updateTask", "annotate"].flatMap((kind) => [
    `${kind} answered`,
    `${kind} refused`,
    `${kind} in doubt`,
    `${kind} unanswered`,
  ]),
  "retry put off",
  "retry tried",
  "answered again",
];

const PLACES = [
  "crash before a commit",
  "crash after a commit",
  "crash between effects",
  "crash while starting",
  "crash while idle",
  "crash while frozen",
  "crash while stopping",
] as const;
const WORLDS = [
  "store answers at once",
  "store answers later",
  "nobody listens for events",
  "one coordinator",
  "two coordinators",
  "workers' memory is none",
  "workers' memory is shared",
  "workers' memory is own",
  "graceful stop",
  "taskflow released",
  "taken over by another coordinator",
  "taken over from a coordinator that is still there",
  "frozen for longer than the lease",
  "a coordinator comes back",
  "a claim finds an owner back",
  "a claim comes too late",
  "an earlier owner's write is turned away",
  "journal compacted",
  "commit of several taskflows",
  "finished taskflow taken",
  "taskflow parked",
  "parked taskflow read again",
  "row does not say that it is finished",
] as const;

/** In fewer than about one of 150 seeds: a run over a few thousand may do without them. */
const RARE =
  /^(command: (.* (unanswered|in doubt)|annotate refused|retry put off)|fault: (report lost|release unheard)|input: (delivery joined|answer of an older attempt|reply about an older delivery|reply to somebody who is not the owner)|world: (a claim comes too late|an earlier owner's write is turned away|row does not say that it is finished))$/;

export const KINDS = { fault: FAULTS, crash: PLACES, fact: FACTS, command: COMMANDS, input: INPUTS, world: WORLDS } as const;
export type Kind = keyof typeof KINDS;

export class Statistics {
  readonly #counts = new Map<string, number>();
  readonly #runsWith = new Map<string, number>();
  #runs = 0;

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** Takes in one run's. */
  add(run: Statistics): void {
    this.#runs++;
    for (const [what, count] of run.#counts) {
      this.#counts.set(what, this.of(what) + count);
      this.#runsWith.set(what, (this.#runsWith.get(what) ?? 0) + 1);
    }
  }

  /** What never occurred. */
  get missing(): string[] {
    return Object.entries(KINDS).flatMap(([kind, names]) =>
      names.map((name) => `${kind}: ${name}`).filter((what) => this.of(what) === 0),
    );
  }

  /** What never occurred, and does not need many seeds to occur. */
  get missingThoughUsual(): string[] {
    return this.missing.filter((what) => !RARE.test(what));
  }

  /** Faults that struck in every run: each must be off in some of them. */
  get ubiquitous(): string[] {
    return FAULTS.map((name) => `fault: ${name}`).filter((what) => (this.#runsWith.get(what) ?? 0) >= this.#runs);
  }

  toString(): string {
    const lines = Object.entries(KINDS).flatMap(([kind, names]) => [
      kind,
      ...names.map((name) => {
        const what = `${kind}: ${name}`;
        return `  ${name.padEnd(50)} ${String(this.of(what)).padStart(9)} in ${this.#runsWith.get(what) ?? 0} seeds`;
      }),
    ]);
    return lines.join("\n");
  }
}
