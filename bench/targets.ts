/** The bars: what the product may cost beside the limits. */
import type { Contestant, Runs } from "./contestants.ts";
import type { Result } from "./role.ts";
import { medianOf, show, spread } from "./statistics.ts";

const STAGED = ["staged-c1", "staged-c100"];
const ALL = [...STAGED, "deep-200", "wide-1000", "wide-10000"];

const product = {
  name: "product",
  contender: "product",
  variant: "state",
  store: "sqlite",
  workloads: [...ALL, "mixed-c100"],
} as const;
const quiet = {
  name: "product, eventTree none",
  contender: "product",
  variant: "none",
  store: "sqlite",
  workloads: ["staged-c100"],
} as const;
const limit = {
  name: "limit with events",
  contender: "limit",
  variant: "events",
  store: "sqlite",
  workloads: [...ALL, "mixed-c100"],
} as const;
const bare = { name: "limit", contender: "limit", variant: "plain", store: "sqlite", workloads: STAGED } as const;
export const ON_SQLITE: readonly Contestant[] = [limit, product, bare, quiet];

const mongoProduct = {
  name: "product on MongoDB",
  contender: "product",
  variant: "state",
  store: "mongodb",
  workloads: ALL,
} as const;
const mongoLimit = { name: "limit on MongoDB", contender: "limit", variant: "plain", store: "mongodb", workloads: ALL } as const;
export const ON_MONGODB: readonly Contestant[] = [mongoLimit, mongoProduct];

interface Target {
  readonly workload: string;
  readonly measure: "perSecond" | "p50" | "cpu" | "commands" | "operations";
  readonly of: Contestant;
  /** Absent: the figure itself counts, not a ratio. */
  readonly to?: Contestant;
  readonly atLeast?: number;
  readonly atMost?: number;
}

const TARGETS: readonly Target[] = [
  { workload: "staged-c100", measure: "perSecond", of: product, to: limit, atLeast: 0.65 },
  { workload: "staged-c100", measure: "perSecond", of: quiet, to: bare, atLeast: 0.5 },
  { workload: "staged-c1", measure: "p50", of: product, to: limit, atMost: 1.5 },
  { workload: "staged-c1", measure: "commands", of: product },
  { workload: "staged-c100", measure: "operations", of: product },
  { workload: "deep-200", measure: "p50", of: product, to: limit, atMost: 1.5 },
  { workload: "wide-1000", measure: "p50", of: product, to: limit },
  { workload: "wide-10000", measure: "p50", of: product, to: limit, atMost: 2 },
  { workload: "staged-c100", measure: "cpu", of: product, to: limit, atMost: 1.6 },
  { workload: "mixed-c100", measure: "perSecond", of: product, to: limit },
  { workload: "staged-c100", measure: "perSecond", of: mongoProduct, to: mongoLimit, atLeast: 0.6 },
  { workload: "staged-c1", measure: "p50", of: mongoProduct, to: mongoLimit, atMost: 1.6 },
  { workload: "staged-c1", measure: "commands", of: mongoProduct, atMost: 6 },
  { workload: "staged-c100", measure: "operations", of: mongoProduct, atMost: 9 },
  { workload: "deep-200", measure: "p50", of: mongoProduct, to: mongoLimit },
  { workload: "wide-10000", measure: "p50", of: mongoProduct, to: mongoLimit, atMost: 4 },
];

const MEASURES: Readonly<Record<Target["measure"], string>> = {
  perSecond: "flows/s",
  p50: "ms a flow (median)",
  cpu: "CPU ms a flow, all processes",
  commands: "commands to the store a flow",
  operations: "operations written a flow",
};

type Values = (contestant: Contestant, workload: string, measure: keyof Result) => number[];

/** The table as Markdown: medians over rounds, the lowest and the highest behind them. */
export function targetTable(runs: Runs): string {
  const values: Values = (contestant, workload, measure) =>
    (runs.get(contestant.name) ?? []).flatMap((results) => results[workload]?.[measure] ?? []);
  const rows = TARGETS.flatMap((target) => rowOf(target, values));
  const growth = [product, limit].flatMap((contestant) => growthRow(contestant, values));
  const head = ["workload", "measure", "product", "limit", "ratio", "target", ""];
  return table(head, [...rows, ...growth]);
}

function rowOf({ workload, measure, of, to, atLeast, atMost }: Target, values: Values): string[][] {
  const own = values(of, workload, measure);
  const others = to ? values(to, workload, measure) : [];
  if (own.length === 0 || (to && others.length === 0)) return [];
  const judged = to ? medianOf(own) / medianOf(others) : medianOf(own);
  const target = atLeast !== undefined ? `≥ ${atLeast}` : atMost !== undefined ? `≤ ${atMost}` : "";
  const isMet = judged >= (atLeast ?? -Infinity) && judged <= (atMost ?? Infinity);
  const verdict = target === "" ? "" : isMet ? "met" : "missed";
  return [[`${workload} (${of.name})`, MEASURES[measure], spread(own), spread(others), to ? show(judged) : "", target, verdict]];
}

function growthRow(contestant: Contestant, values: Values): string[][] {
  const [small, large] = [values(contestant, "wide-1000", "p50"), values(contestant, "wide-10000", "p50")];
  if (small.length === 0 || large.length === 0) return [];
  const growth = medianOf(large) / medianOf(small);
  const isProduct = contestant === product;
  const verdict = growth <= 15 ? "met" : "missed";
  return [
    [
      `wide 10000 ÷ wide 1000 (${contestant.name})`,
      "growth",
      show(growth),
      "",
      "",
      isProduct ? "≤ 15" : "",
      isProduct ? verdict : "",
    ],
  ];
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, index) => (index < 1 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}
