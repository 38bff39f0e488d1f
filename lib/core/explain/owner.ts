/** Reasons that keep the owner of a taskflow from driving it. */
import { cut, type ReasonList, span } from "./reason.ts";
import type { Observations } from "./observed.ts";

export function explainOwner(list: ReasonList, observed: Observations): void {
  const { owner, coordinator, storeError, now } = observed;
  if (storeError !== null) {
    list.add("STORE_UNAVAILABLE", undefined, () => ({
      sentence: `The store is unavailable and nothing can proceed: ${cut(storeError)}`,
      data: { error: cut(storeError) },
      movedBy: "The return of the store; the coordinator keeps trying.",
    }));
  }
  if (owner.kind === "none") {
    list.add("NO_OWNER", undefined, () => ({
      sentence: "It has no owner right now: its last coordinator released it.",
      movedBy: "Any coordinator that accepts work, within about a second.",
    }));
    return;
  }
  if (owner.kind === "other") return explainOther(list, owner);
  if (!owner.isLoaded) return explainNotLoaded(list, coordinator, owner.restsUntil, now);
  if (!owner.hasLease) {
    list.add("LEASE_EXPIRED", undefined, () => ({
      sentence: `Its coordinator ${coordinator} could not renew its lease and sends nothing: another coordinator may have taken over.`,
      data: { coordinator },
      movedBy: "The next renewal that the store confirms.",
    }));
  }
  if (owner.isDraining) {
    list.add("DRAINING", undefined, () => ({
      sentence: `Its coordinator ${coordinator} is shutting down and starts nothing new.`,
      data: { coordinator },
      movedBy: "Another coordinator, or the next start of this one.",
    }));
  }
  const rule = observed.everythingPausedBy;
  if (rule) {
    const paused = rule.coordinator === null ? "Every action" : `Coordinator ${rule.coordinator}`;
    const why = rule.reason === null ? "" : ` (${cut(rule.reason)})`;
    list.add("COORDINATOR_PAUSED", undefined, () => ({
      sentence: `${paused} has been paused for ${span(now - rule.since)}${why}: nothing is sent.`,
      data: { coordinator: rule.coordinator, reason: rule.reason, since: rule.since },
      movedBy: 'resumeActions { pattern: "**" }',
    }));
  }
  if (!observed.isBusUp) {
    list.add("BUS_DOWN", undefined, () => ({
      sentence: `Its coordinator ${coordinator} has no connection to the bus: it sends nothing and receives no answers.`,
      data: { coordinator },
      movedBy: "The connection; the coordinator keeps trying.",
    }));
  }
}

function explainNotLoaded(list: ReasonList, coordinator: string, restsUntil: number | null, now: number): void {
  // At rest it has nothing to do before that time; another reason says what it waits for.
  if (restsUntil !== null && restsUntil > now) return;
  list.add("NOT_LOADED", undefined, () => ({
    sentence: `It belongs to coordinator ${coordinator}, which has not loaded it: it is being read, or was set aside after an error that the log describes.`,
    data: { coordinator },
    movedBy: "The end of the read; after an error, a restart of the coordinator.",
  }));
}

function explainOther(list: ReasonList, owner: Extract<Observations["owner"], { kind: "other" }>): void {
  const { node, silentMs, leaseMs } = owner;
  // Between two renewals the owner is always silent for a while.
  if (silentMs !== null && silentMs < leaseMs / 2) {
    list.add("OWNER_ELSEWHERE", undefined, () => ({
      sentence: `Coordinator ${node} owns it and could not be asked; this explanation comes from the store.`,
      data: { coordinator: node },
      movedBy: `A repeated call, or one to ${node}.`,
    }));
    return;
  }
  const silence = silentMs === null ? "shows no sign of life" : `has been silent for ${span(silentMs)}`;
  list.add("OWNER_SILENT", undefined, () => ({
    sentence: `Its coordinator ${node} ${silence}; another one takes over after ${span(leaseMs)} of silence.`,
    data: { coordinator: node, silentMs, lease: leaseMs },
    movedBy: "A takeover, which happens by itself if another coordinator runs.",
  }));
}
