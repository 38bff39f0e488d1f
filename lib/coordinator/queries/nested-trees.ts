/** The trees of nested taskflows, in the tree of the one that they stand below. */
import type { Flow } from "../../core/model/flow.ts";
import { stageId, taskId } from "../../core/model/ids.ts";
import { bytesOf } from "../../protocol/truncate.ts";

type Tree = Record<string, unknown>;

/** Nested taskflows that are read at once. */
const READERS = 8;

/** What a key with its quotes and commas takes beside its value. */
const KEY_FRAME = 64;

/** Where the tree of a nested taskflow belongs. */
interface Slot {
  readonly task: Tree;
  readonly id: string;
}

/** A tree, and where in it the trees of nested taskflows belong. */
export interface Branch {
  readonly tree: Tree;
  readonly slots: readonly Slot[];
}

/** Taken at one moment: the taskflow may go on. */
export function branchOf(flow: Flow, tree: Tree): Branch {
  const slots: Slot[] = [];
  const stages = tree["stages"] as Readonly<Record<string, { tasks: Readonly<Record<string, Tree>> }>>;
  for (const { id, task } of flow.children.values()) {
    const row = stages[stageId(flow.idBase, task.stage.index)]?.tasks[taskId(flow.idBase, task.ordinal)];
    if (!row) continue;
    row["nested"] ??= {};
    slots.push({ task: row, id });
  }
  return { tree, slots };
}

/**
 * Adds the trees of nested taskflows to each task as `nested`, by id, level by level. One that does
 * not fit is cut to its head and `truncated`; a deleted one is left out.
 * @param depth levels to add
 * @param room bytes that may be added
 * @param read undefined: there is no such taskflow
 */
export async function addNestedTrees(
  root: Branch,
  depth: number,
  room: number,
  read: (taskflowId: string) => Promise<Branch | undefined>,
): Promise<void> {
  let left = room;
  let level: readonly Branch[] = [root];
  for (let n = 0; n < depth && level.length > 0; n++) {
    const next: Branch[] = [];
    for await (const { slot, branch } of readAll(level, read)) {
      const shown = fitting(branch.tree, left);
      if (shown !== branch.tree) root.tree["truncated"] = true;
      if (!shown) continue;
      left -= sizeOf(shown, left);
      (slot.task["nested"] as Tree)[slot.id] = shown;
      if (shown === branch.tree) next.push(branch);
    }
    level = next;
  }
}

/** What is nested below these, several read at once. */
async function* readAll(
  level: readonly Branch[],
  read: (taskflowId: string) => Promise<Branch | undefined>,
): AsyncGenerator<{ slot: Slot; branch: Branch }> {
  const slots = level.flatMap((branch) => branch.slots);
  for (let from = 0; from < slots.length; from += READERS) {
    const some = slots.slice(from, from + READERS);
    const branches = await Promise.all(some.map(({ id }) => read(id)));
    for (const [index, slot] of some.entries()) {
      const branch = branches[index];
      if (branch) yield { slot, branch };
    }
  }
}

const sizeOf = (tree: Tree, room: number): number => (room === Infinity ? 0 : bytesOf(tree) + KEY_FRAME);

function fitting(whole: Tree, room: number): Tree | undefined {
  if (sizeOf(whole, room) <= room) return whole;
  const { taskflowId, name, status } = whole;
  const head = { taskflowId, name, status, truncated: true };
  return sizeOf(head, room) <= room ? head : undefined;
}
