/**
 * How long it took until work went on, out of what was struck, what the store told and what
 * handlers did. Times are epoch ms.
 */
import { type Execution, partsOfKey } from "./execution-log.ts";
import type { Takeover } from "./takeovers.ts";
import type { Absence } from "./fault-injector.ts";

export interface Figure {
  readonly title: string;
  /** In undisturbed cases: nothing else was away meanwhile that the next owner needs. */
  readonly ms: readonly number[];
  /** Cases in which something else was away too. */
  readonly disturbed: number;
  /** What p99 must not exceed; absent: for information. */
  readonly limitMs?: number;
}

export interface Observed {
  readonly takeovers: readonly Takeover[];
  readonly absences: readonly Absence[];
  readonly executions: readonly Execution[];
  readonly leaseMs: number;
}

/** An outage is felt a little longer than it lasts: clients dial again. */
const AFTERMATH_MS = 3_000;

export function figuresOf(observed: Observed): Figure[] {
  const { leaseMs } = observed;
  return [
    takeoversAfter("SIGKILL", observed, leaseMs + 2_000),
    takeoversAfter("SIGSTOP", observed),
    handOvers(observed),
    resumptions("NATS", observed),
    resumptions("MongoDB", observed),
  ];
}

/** The value that this share of all does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Figures that do not keep what they promise, in words. */
export function missed(figures: readonly Figure[]): string[] {
  return figures.flatMap(({ title, ms, limitMs }) => {
    const p99 = percentile(ms, 0.99);
    return limitMs !== undefined && p99 > limitMs
      ? [`${title}: p99 is ${Math.round(p99)} ms, and the limit is ${limitMs} ms`]
      : [];
  });
}

const overlaps = ({ from, to }: Absence, begin: number, end: number): boolean => from < end && to > begin;

const isOutage = ({ what }: Absence): boolean => what === "NATS" || what === "MongoDB";

/** With the time that clients need to dial again. */
const felt = (absence: Absence): Absence => (isOutage(absence) ? { ...absence, to: absence.to + AFTERMATH_MS } : absence);

/** Something else was away that the next owner needs. */
function wasDisturbed({ victim, struckAt, takenAt }: Takeover, absences: readonly Absence[]): boolean {
  return absences.some(
    (absence) =>
      (isOutage(absence) || (absence.what === "coordinator" && absence.name !== victim)) &&
      overlaps(felt(absence), struckAt, takenAt),
  );
}

function takeoversAfter(how: Takeover["how"], { takeovers, absences }: Observed, limitMs?: number): Figure {
  const all = takeovers.filter((each) => each.how === how && each.by === "another");
  const quiet = all.filter((takeover) => !wasDisturbed(takeover, absences));
  return {
    title: `Taskflows that another coordinator took over after ${how}`,
    ms: quiet.map(({ struckAt, takenAt }) => takenAt - struckAt),
    disturbed: all.length - quiet.length,
    ...(limitMs === undefined ? {} : { limitMs }),
  };
}

/**
 * After SIGTERM a taskflow leaves when its last running attempt has ended. What was lost with a
 * worker is waited for until its time is up.
 */
function handOvers({ takeovers, absences, executions }: Observed): Figure {
  const runs = Map.groupBy(executions, ({ key }) => partsOfKey(key).taskflowId);
  const all = takeovers.filter((each) => each.how === "SIGTERM" && each.by === "another");
  const ms: number[] = [];
  for (const takeover of all) {
    const { taskflowId, struckAt, takenAt, fence } = takeover;
    const own = runs.get(taskflowId) ?? [];
    if (wasDisturbed(takeover, absences) || hasLost(own)) continue;
    const ends = own.filter((run) => run.fence <= fence).map(({ end }) => end?.at ?? 0);
    ms.push(Math.max(0, takenAt - Math.max(struckAt, ...ends)));
  }
  return {
    title: "Taskflows handed over after SIGTERM, from the end of their last attempt",
    ms,
    disturbed: all.length - ms.length,
    limitMs: 1_000,
  };
}

/**
 * Some attempt never began, did not end, or was delivered again: a message or a worker was lost.
 */
function hasLost(runs: readonly Execution[]): boolean {
  const keys = new Set(runs.map(({ key }) => key));
  return runs.some(({ key, delivery, end }) => {
    const { taskflowId, taskId, attempt } = partsOfKey(key);
    return !end || delivery > 1 || (attempt > 0 && !keys.has(`${taskflowId}:${taskId}:${attempt - 1}`));
  });
}

/** From the end of an outage until the first handler begins. */
function resumptions(what: "NATS" | "MongoDB", { absences, executions }: Observed): Figure {
  const starts = executions.map(({ at }) => at).toSorted((one, other) => one - other);
  const coordinators = absences.filter((absence) => absence.what === "coordinator");
  const outages = absences.filter((absence) => absence.what === what);
  const ms: number[] = [];
  for (const outage of outages) {
    const next = starts.find((at) => at >= outage.to);
    if (next === undefined) continue;
    const others = absences.filter((absence) => absence !== outage && isOutage(absence));
    const away = new Set(coordinators.filter((absence) => overlaps(absence, outage.from, next)).map(({ name }) => name));
    const hasMore = away.size > 1 || others.some((absence) => overlaps(felt(absence), outage.from, next));
    if (!hasMore) ms.push(next - outage.to);
  }
  return { title: `Work goes on after ${what} is back`, ms, disturbed: outages.length - ms.length, limitMs: 5_000 };
}
