import type { Created, Fact } from "../core/journal/facts.ts";
import { encodeEntry } from "../core/journal/journal.ts";
import type { Write } from "../ports/store.ts";
import type { Resident } from "./turn/resident.ts";
import { dueAtOf, newRow, rowChange } from "./turn/projection.ts";
import type { CoordinatorSettings } from "./settings.ts";

/** What is to be stored of a taskflow that was decided; undefined if nothing changed. It counts the taskflow's revision on, and notes when it is due. */
export function writeOf(
  resident: Resident,
  facts: readonly Fact[],
  at: number,
  settings: CoordinatorSettings,
): Write | undefined {
  const { flow, creation } = resident;
  const { taskflowId, idBase, meta, definition, parent, rootId, depth, parentContext } = flow;
  if (creation) {
    const { defaults, owner } = settings;
    const nested = parent ? { nested: { parent, rootId, depth, context: parentContext } } : {};
    const created: Created = { kind: "created", taskflowId, idBase, defaults, meta, definition, ...nested };
    return { kind: "create", row: newRow(flow, owner), entry: encodeEntry(at, [created, ...facts], creation.text) };
  }
  if (facts.length === 0) return undefined;
  flow.revision++;
  const dueAt = dueAtOf(flow, at, settings.parkMs);
  const row = rowChange(flow, facts, resident.dueAt, dueAt);
  resident.dueAt = dueAt;
  const entry = encodeEntry(at, facts);
  return { kind: "append", taskflowId, revision: flow.revision, entry, ...(row ? { row } : {}) };
}
