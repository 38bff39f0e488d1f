/** A chaos run in lines. */
import type { ChaosResult } from "./chaos.ts";
import { percentile, type Takeover } from "./takeovers.ts";

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
    ...takeoverLines("Takeovers by another", result, "another"),
    ...takeoverLines("Goes on in its next life", result, "its next life"),
    ...complaints.slice(0, SHOWN).map((text) => `Complaint: ${text}`),
    ...violations.slice(0, SHOWN).map((text) => `VIOLATION: ${text}`),
    violations.length === 0 ? "No violation." : `${violations.length} violations.`,
    `Logs of all processes: ${result.folder}`,
  ];
  return lines.join("\n");
}

function tally(title: string, counts: Readonly<Record<string, number>>): string[] {
  const entries = Object.entries(counts).sort(([, one], [, other]) => other - one);
  if (entries.length === 0) return [`${title}: none`];
  const sum = entries.reduce((all, [, count]) => all + count, 0);
  return [`${title}: ${sum}`, ...entries.map(([what, count]) => `  ${count}  ${what}`)];
}

function takeoverLines(title: string, { takeovers, undisturbed }: ChaosResult, by: Takeover["by"]): string[] {
  return (["SIGKILL", "SIGSTOP"] as const).flatMap((how) => {
    const [all, quiet] = [takeovers, undisturbed].map((list) =>
      list.filter((each) => each.how === how && each.by === by).map(({ ms }) => ms),
    );
    if (!all?.length) return [];
    const undisturbedText = quiet?.length ? `; with NATS and MongoDB there: ${times(quiet)}` : "";
    return [`${title}, ${how} to first sign: ${times(all)}${undisturbedText}`];
  });
}

const times = (all: readonly number[]): string =>
  `${all.length}, p50 ${seconds(percentile(all, 0.5))}, p99 ${seconds(percentile(all, 0.99))}`;

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;
