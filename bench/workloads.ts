/**
 * What is run, and how a flow is checked. Everything follows from seeds: a flow is the same for
 * every contender and in every round.
 */

export interface Job {
  readonly flow: string;
  readonly stage: number;
  readonly index: number;
  /** Length of the padding of its answer. */
  readonly pad: number;
  /** Its first attempt fails. */
  readonly failsOnce: boolean;
}

export interface Flow {
  readonly id: string;
  readonly stages: readonly (readonly Job[])[];
}

export interface Answer {
  readonly flow: string;
  readonly stage: number;
  readonly index: number;
  /** Answers of the stage before that the task was given. */
  readonly seen: number;
  readonly pad: string;
}

/** `loop`: so many flows in flight for a while. `repeat`: one after the other, so many times. */
export type Workload =
  | { readonly kind: "loop"; readonly inFlight: number; readonly warmMs: number; readonly ms: number; readonly flow: FlowMaker }
  | { readonly kind: "repeat"; readonly times: number; readonly flow: FlowMaker };

type FlowMaker = (id: string, random: () => number) => Flow;

/** The usual answer has about 100 bytes. */
const PAD = 44;

const plain =
  (widths: readonly number[], pad = PAD): FlowMaker =>
  (id) => ({
    id,
    stages: widths.map((width, stage) =>
      Array.from({ length: width }, (_, index) => ({ flow: id, stage, index, pad, failsOnce: false })),
    ),
  });

/**
 * Three stages of 1 to 20 tasks, answers of 50 B to 8 KB (most of them small), one task in 20
 * fails once.
 */
const mixed: FlowMaker = (id, random) => ({
  id,
  stages: Array.from({ length: 3 }, (_unused, stage) =>
    Array.from({ length: 1 + Math.floor(random() * 20) }, (_, index) => {
      const pad = Math.round(50 * (8192 / 50) ** random());
      return { flow: id, stage, index, pad, failsOnce: random() < 0.05 };
    }),
  ),
});

const loop = (inFlight: number, flow: FlowMaker, warmMs: number, ms: number): Workload => ({
  kind: "loop",
  inFlight,
  flow,
  warmMs,
  ms,
});
const repeat = (times: number, flow: FlowMaker): Workload => ({ kind: "repeat", times, flow });

export const WORKLOADS: Readonly<Record<string, Workload>> = {
  "staged-c1": loop(1, plain([1, 4, 1]), 2_000, 6_000),
  "staged-c100": loop(100, plain([1, 4, 1]), 4_000, 15_000),
  "mixed-c100": loop(100, mixed, 4_000, 15_000),
  "deep-200": repeat(3, plain(Array.from({ length: 200 }, () => 1))),
  "wide-1000": repeat(3, plain([1_000, 1])),
  "wide-10000": repeat(1, plain([10_000, 1])),
};

/**
 * A workload by its name; `wide-<tasks>` and `payload-<bytes>` of any size, for the figures of
 * growth.
 */
export function workloadOf(name: string): Workload {
  const known = WORKLOADS[name];
  if (known) return known;
  const [, kind, size] = /^(wide|payload)-(\d+)$/.exec(name) ?? [];
  if (kind === "wide") return repeat(Number(size) >= 10_000 ? 1 : 5, plain([Number(size), 1]));
  if (kind === "payload") return repeat(Number(size) > 10_000 ? 3 : 20, plain([1, 4, 1], Number(size)));
  throw new Error(
    `There is no workload "${name}": give one of ${Object.keys(WORKLOADS).join(", ")}, wide-<tasks> or payload-<bytes>.`,
  );
}

/** mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixing = Math.imul(state ^ (state >>> 15), 1 | state);
    mixing = (mixing + Math.imul(mixing ^ (mixing >>> 7), 61 | mixing)) ^ mixing;
    return ((mixing ^ (mixing >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param attempt from 0 */
export function work({ flow, stage, index, pad, failsOnce }: Job, seen: number, attempt: number): Answer {
  if (failsOnce && attempt === 0) throw new Error("This task fails once.");
  return { flow, stage, index, seen, pad: "x".repeat(pad) };
}

/** @throws Error unless every task of the last stage has seen the whole stage before it */
export function check({ id, stages }: Flow, last: readonly Answer[]): void {
  const seen = stages.at(-2)?.length ?? 0;
  const isRight = last.length === stages.at(-1)?.length && last.every((answer) => answer.flow === id && answer.seen === seen);
  if (!isRight)
    throw new Error(`Flow ${id} ended with ${JSON.stringify(last)?.slice(0, 200)}: ${seen} answers should have been seen.`);
}
