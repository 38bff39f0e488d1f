/** A chaos run in lines. */
import type { ChaosResult } from "./chaos.ts";
import { type Figure, missed, percentile } from "./figures.ts";

const SHOWN = 30;

export function report(result: ChaosResult): string {
  const { flows, seconds, seed, violations, complaints } = result;
  const lines = [
    `${flows} taskflows in ${seconds} s (seed ${seed}): ${result.executions} executions, ${result.calls} calls of produce; all finished ${(result.settledMs / 1_000).toFixed(1)} s after calm`,
    ...tally("What was broken", result.kills),
    ...tally("How they ended", result.ends),
    `COMPLETED of those at least once: ${(result.completedShare * 100).toFixed(2)} %`,
    ...tally("Failed, at least once", result.failures),
    ...tally("TASK_OUTCOME_UNKNOWN under exactly once", result.unknowns),
    ...tally("Repeated executions, at least once", result.repeats),
    ...tally("Errors that callers saw", result.callErrors),
    `Subscriptions through everything: ${result.subscriptions}`,
    ...result.figures.map(figureLine),
    ...missedBy(result).map((text) => `MISSED: ${text}`),
    ...complaints.slice(0, SHOWN).map((text) => `Complaint: ${text}`),
    ...violations.slice(0, SHOWN).map((text) => `VIOLATION: ${text}`),
    violations.length === 0 ? "No violation." : `${violations.length} violations.`,
    `Logs of all processes: ${result.folder}`,
  ];
  return lines.join("\n");
}

/** Promises of a machine that has nothing else to do, and that the run did not keep, in words. */
export function missedBy({ figures, completedShare, ends }: ChaosResult): string[] {
  const share = (completedShare * 100).toFixed(2);
  return [
    ...missed(figures),
    ...(completedShare < 0.99 ? [`only ${share} % of the taskflows at least once are COMPLETED, and 99 % are to be`] : []),
    ...(Object.keys(ends).length === 0 ? ["no taskflow was produced"] : []),
  ];
}

function tally(title: string, counts: Readonly<Record<string, number>>): string[] {
  const entries = Object.entries(counts).sort(([, one], [, other]) => other - one);
  if (entries.length === 0) return [`${title}: none`];
  const sum = entries.reduce((all, [, count]) => all + count, 0);
  return [`${title}: ${sum}`, ...entries.map(([what, count]) => `  ${count}  ${what}`)];
}

function figureLine({ title, ms, disturbed, limitMs }: Figure): string {
  const limit = limitMs === undefined ? "" : ` (limit ${seconds(limitMs)})`;
  const others = disturbed === 0 ? "" : `; not counted, for something else was away too: ${disturbed}`;
  if (ms.length === 0) return `${title}: none to be measured${others}`;
  const [p50, p99, most] = [percentile(ms, 0.5), percentile(ms, 0.99), Math.max(...ms)].map(seconds);
  return `${title}: ${ms.length}, p50 ${p50}, p99 ${p99}, longest ${most}${limit}${others}`;
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;
