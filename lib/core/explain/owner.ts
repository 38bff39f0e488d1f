/** What keeps the coordinator of a taskflow from driving it. */
import { cut, type ReasonList, span } from "./reason.ts";
import type { Observations } from "./observed.ts";

export function explainOwner(list: ReasonList, around: Observations): void {
  const { owner, coordinator, storeError, now } = around;
  if (storeError !== null) {
    list.add("STORE_UNAVAILABLE", undefined, () => ({
      sentence: `The store cannot be used, so that nothing can go on: ${cut(storeError)}`,
      data: { error: cut(storeError) },
      movedBy: "The store; it is tried again all the time.",
    }));
  }
  if (owner.kind === "nobody") {
    list.add("NO_OWNER", undefined, () => ({
      sentence: "No coordinator drives it: its last one gave it up.",
      movedBy: "A coordinator that may take work; one takes it within about a second.",
    }));
    return;
  }
  if (owner.kind === "other") return explainOther(list, owner);
  if (!owner.isLoaded) return explainAbsent(list, coordinator, owner.restsUntil, now);
  if (!owner.hasLease) {
    list.add("LEASE_LAPSED", undefined, () => ({
      sentence: `Its coordinator ${coordinator} could not show the store that it lives, so that it sends nothing: another one may have taken over.`,
      data: { coordinator },
      movedBy: "The store's answer to its next beat.",
    }));
  }
  if (owner.isDraining) {
    list.add("DRAINING", undefined, () => ({
      sentence: `Its coordinator ${coordinator} is shutting down and starts nothing new.`,
      data: { coordinator },
      movedBy: "Another coordinator, or the next start of this one.",
    }));
  }
  const rule = around.everythingPausedBy;
  if (rule) {
    const who = rule.coordinator === null ? "Every action" : `Coordinator ${rule.coordinator}`;
    const why = rule.reason === null ? "" : ` (${cut(rule.reason)})`;
    list.add("COORDINATOR_PAUSED", undefined, () => ({
      sentence: `${who} is paused since ${span(now - rule.since)}${why}: nothing is sent.`,
      data: { coordinator: rule.coordinator, reason: rule.reason, since: rule.since },
      movedBy: 'resumeActions { pattern: "**" }',
    }));
  }
  if (!around.isBusUp) {
    list.add("BUS_DOWN", undefined, () => ({
      sentence: `Its coordinator ${coordinator} has no link to the bus: nothing is sent, and no answer comes.`,
      data: { coordinator },
      movedBy: "The link; it is tried again all the time.",
    }));
  }
}

function explainAbsent(list: ReasonList, coordinator: string, restsUntil: number | null, now: number): void {
  // At rest nothing is to be done before that time; what it waits for is told beside this.
  if (restsUntil !== null && restsUntil > now) return;
  list.add("PUT_ASIDE", undefined, () => ({
    sentence: `It belongs to coordinator ${coordinator}, which does not have it in its care: it is being read, or it was put aside after an error that the log tells.`,
    data: { coordinator },
    movedBy: "The end of the reading; after an error, a restart of the coordinator.",
  }));
}

function explainOther(list: ReasonList, owner: Extract<Observations["owner"], { kind: "other" }>): void {
  const { node, silentMs, leaseMs } = owner;
  // Between two beats there is always some silence.
  if (silentMs !== null && silentMs < leaseMs / 2) {
    list.add("OWNER_ELSEWHERE", undefined, () => ({
      sentence: `Coordinator ${node} drives it and could not be asked; this is what the store tells.`,
      data: { coordinator: node },
      movedBy: `Ask again, or ask ${node}.`,
    }));
    return;
  }
  const silence = silentMs === null ? "shows no sign of life" : `is silent since ${span(silentMs)}`;
  list.add("OWNER_SILENT", undefined, () => ({
    sentence: `Its coordinator ${node} ${silence}; another one takes over after ${span(leaseMs)} of silence.`,
    data: { coordinator: node, silentMs, lease: leaseMs },
    movedBy: "A takeover, which comes by itself where another coordinator runs.",
  }));
}
