/**
 * How a point is reached. Without a word here, it is on the way of a taskflow that is produced
 * and ends.
 */
import type { CrashPoint, Happening } from "./points.ts";

export interface Path {
  /** An incarnation before ends here: what happens only where one has died. */
  readonly prelude?: CrashPoint;
  /** In that incarnation another taskflow has ended before. */
  readonly hasEnded?: true;
  /** `TASKFLOW_RETENTION` of the incarnation that is to reach the point. */
  readonly retention?: string;
  /** What the incarnation that is to reach the point is told while its taskflow runs. */
  readonly provoke?: "stop" | "delete" | "calls" | "lapse";
}

/** In the middle of a stage, with attempts out of every kind. */
const MIDDLE: CrashPoint = "before store.commit of delayed";

const RECORDED_CALLS: Path = { provoke: "calls" };

/** On the way of `recordedCalls.ts`. */
const BY_RECORDED_CALLS = [
  "selected",
  "reset",
  "late-response",
  "paused",
  "updated",
  "annotated",
  "command-handled",
  "linked",
  "revived",
  "child-ended",
  "child-abandoned",
  "responded",
  "withdrawn",
  "accepted",
];

const PATHS: Readonly<Record<Happening, Path>> = {
  ...Object.fromEntries(
    [...BY_RECORDED_CALLS, "compensating", "compensated"].map((fact) => [`store.commit of ${fact}`, RECORDED_CALLS]),
  ),
  "store.reopen": RECORDED_CALLS,
  "store.insert": RECORDED_CALLS,
  "store.addPauseRule": RECORDED_CALLS,
  "store.removePauseRules": RECORDED_CALLS,
  "store.open": { prelude: MIDDLE },
  "store.claim": { prelude: MIDDLE },
  "store.commit of owned": { prelude: MIDDLE },
  "store.commit of redelivered": { prelude: MIDDLE },
  "bus.queryOutcome": { prelude: MIDDLE },
  "an answer of bus.queryOutcome": { prelude: MIDDLE },
  "store.confirmOwnership": { provoke: "lapse" },
  "store.release": { provoke: "stop" },
  "store.leave": { provoke: "stop" },
  "store.close": { provoke: "stop" },
  "store.delete": { provoke: "delete" },
  "store.expire": { prelude: MIDDLE, hasEnded: true, retention: "1s" },
};

export const happeningOf = (point: CrashPoint): Happening => point.replace(/^(before|after) /, "");

export const pathTo = (point: CrashPoint): Path => PATHS[happeningOf(point)] ?? {};

/**
 * Takes two coordinators, two nodes that serve an action, a very long journal, or a commit without
 * an answer.
 * `test/integration/nested-nats.test.ts` has two coordinators, and kills them in the middle.
 */
const ALONE: Readonly<Record<Happening, string>> = {
  "bus.forward": "there is nobody to pass an order on to",
  "an answer of bus.forward": "there is nobody to pass an order on to",
  "store.compact": "it takes more than 4,000 facts; the simulator ends coordinators around it",
  "store.repair": "a claim is an entry, which the row follows; the simulator ends coordinators around it",
  "store.commit of undelivered": "one node serves each action: what it turns away moves to no other",
};

/** What a store, or a coordinator that is alone, never does, and why. */
export const NEVER: Readonly<Record<string, Readonly<Record<Happening, string>>>> = {
  SQLite: ALONE,
  MongoDB: ALONE,
};
