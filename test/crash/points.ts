/**
 * Where a coordinator may be killed: before and after everything that it does to the world
 * outside. The list is not written by hand: it follows from the verbs of the ports, the kinds of
 * effects and the kinds of facts, and what is new there does not compile until it stands here.
 */
import type { Effect } from "../../lib/core/execution/effects.ts";
import type { Fact } from "../../lib/core/journal/facts.ts";
import type { Bus } from "../../lib/ports/bus.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Sandbox } from "../../lib/ports/sandbox.ts";
import type { Store } from "../../lib/ports/store.ts";

type VerbsOf<Port> = {
  [Name in keyof Port]-?: Port[Name] extends (...given: never[]) => unknown ? Name : never;
}[keyof Port];

/**
 * - acts: leaves another world behind. It is cut off before and after.
 * - hears: it acts, and calls back later. What it calls back is a point, too.
 * - commits: it acts, and what is in it matters: it has a point for each kind of fact.
 * - looks: changes nothing outside of the process, so that being killed there is the same as
 *   being killed a moment earlier.
 */
type Kind = "acts" | "hears" | "commits" | "looks";

export const STORE = {
  open: "acts",
  close: "acts",
  commit: "commits",
  read: "looks",
  readOn: "looks",
  compact: "acts",
  readMany: "looks",
  readRaw: "looks",
  claim: "acts",
  confirmOwnership: "acts",
  due: "looks",
  reopen: "acts",
  repair: "acts",
  release: "acts",
  lastFinished: "looks",
  renewLease: "acts",
  leave: "acts",
  timeOffset: "looks",
  list: "looks",
  delete: "acts",
  expire: "acts",
  insert: "acts",
  addPauseRule: "acts",
  removePauseRules: "acts",
  pauseRules: "looks",
  health: "looks",
} as const satisfies Record<VerbsOf<Store>, Kind>;

export const BUS = {
  route: "looks",
  offers: "looks",
  call: "hears",
  carries: "looks",
  queryOutcome: "hears",
  abort: "acts",
  forward: "hears",
  onReconnected: "looks",
  hasAudience: "looks",
  announce: "acts",
  onWorkersChanged: "looks",
} as const satisfies Record<VerbsOf<Bus>, Kind>;

/** Only `at` carries out an effect; the others pace the coordinator itself. */
export const CLOCK = {
  now: "looks",
  adjust: "looks",
  monotonic: "looks",
  after: "looks",
  at: "hears",
  soon: "looks",
} as const satisfies Record<VerbsOf<Clock>, Kind>;

/** Computes, and changes nothing. */
export const SANDBOX = { evaluate: "looks", close: "looks" } as const satisfies Record<VerbsOf<Sandbox>, Kind>;

/** The verb that carries out an effect. */
export const EFFECTS = {
  call: "bus.call",
  "query-outcome": "bus.queryOutcome",
  abort: "bus.abort",
  timer: "clock.at",
  // What one taskflow tells another is stored there; what it asks is read.
  "send-command": "store.commit",
  follow: "store.read",
  evaluate: "sandbox.evaluate",
} as const satisfies Record<
  Effect["kind"],
  `store.${keyof typeof STORE}` | `bus.${keyof typeof BUS}` | `clock.${keyof typeof CLOCK}` | `sandbox.${keyof typeof SANDBOX}`
>;

/**
 * What a commit may store; a snapshot is stored by `compact`. The fact `flow` is of two kinds: an
 * end is followed by nothing.
 */
export const FACTS = {
  created: true,
  owned: true,
  flow: true,
  end: true,
  stage: true,
  resolved: true,
  started: true,
  redelivered: true,
  withdrawn: true,
  undelivered: true,
  accepted: true,
  revived: true,
  delayed: true,
  settled: true,
  reset: true,
  selected: true,
  "late-response": true,
  paused: true,
  updated: true,
  annotated: true,
  "command-handled": true,
  linked: true,
  "child-ended": true,
  "child-abandoned": true,
  responded: true,
  compensating: true,
  compensated: true,
} as const satisfies Record<Exclude<Fact["kind"], "compacted"> | "end", true>;

/**
 * `store.claim`, `store.commit of settled`, `an answer of bus.call`: what happens, without
 * "before" or "after".
 */
export type Happening = string;

function happeningsOf(port: string, verbs: Readonly<Record<string, Kind>>): Happening[] {
  return Object.entries(verbs).flatMap(([verb, kind]) => {
    const name = `${port}.${verb}`;
    if (kind === "looks") return [];
    if (kind === "hears") return [name, answerOf(name)];
    return kind === "commits" ? Object.keys(FACTS).map((fact) => commitOf(name, fact)) : [name];
  });
}

export const answerOf = (name: string): Happening => `an answer of ${name}`;
export const commitOf = (name: string, fact: string): Happening => `${name} of ${fact}`;

export const HAPPENINGS: readonly Happening[] = [
  ...happeningsOf("store", STORE),
  ...happeningsOf("bus", BUS),
  ...happeningsOf("clock", CLOCK),
];

export const SIDES = ["before", "after"] as const;
export type CrashPoint = `${(typeof SIDES)[number]} ${Happening}`;

export const POINTS: readonly CrashPoint[] = HAPPENINGS.flatMap((happening) =>
  SIDES.map((side): CrashPoint => `${side} ${happening}`),
);
