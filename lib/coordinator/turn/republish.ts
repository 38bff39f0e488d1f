import { isEvent } from "../../core/journal/apply.ts";
import type { Entry } from "../../core/journal/facts.ts";
import type { Flow } from "../../core/model/flow.ts";
import { historyOf } from "../../core/views/history.ts";
import type { Bus } from "../../ports/bus.ts";

/**
 * Republishes the events after `since`: another coordinator stored them, and may not have announced
 * them.
 */
export function announceSince(bus: Bus, entries: readonly Entry[], flow: Flow, since: number, eventTreeLimit: number): void {
  if (flow.seq <= since || !bus.hasAudience()) return;
  const { events } = historyOf(entries, flow, since, Number.MAX_SAFE_INTEGER, eventTreeLimit);
  for (const event of events) bus.announce(event);
}

/** Republishes the events of the last entry: its owner may have died before it announced them. */
export function announceLast(bus: Bus, entries: readonly Entry[], flow: Flow, eventTreeLimit: number): void {
  const last = entries.at(-1)?.facts.filter(isEvent).length ?? 0;
  announceSince(bus, entries, flow, flow.seq - last, eventTreeLimit);
}
