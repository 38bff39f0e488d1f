/** The trees of nested taskflows, in the tree of the one that they stand below. */
import type { Flow } from "../core/flow.ts";
import { stageId, taskId } from "../core/ids.ts";
import { bytesOf } from "./fit.ts";

type Tree = Record<string, unknown>;

export interface NestedTreesHost {
  readonly peek: (taskflowId: string) => Promise<Flow | undefined>;
  readonly treeOf: (flow: Flow) => Tree;
}

/** Nested taskflows that are read at once. */
const READERS = 8;

/** What a key with its quotes and commas takes beside its value. */
const KEY_FRAME = 64;

interface Node {
  readonly tree: Tree;
  readonly flow: Flow;
}

/**
 * Adds them level by level to each task as `nested`, by their ids. Of one that does not fit any more only the head is told, and `truncated`; one that was
 * deleted is not there.
 *
 * @param depth levels to add
 * @param room bytes that may be added
 */
export async function addNestedTrees(root: Node, depth: number, room: number, host: NestedTreesHost): Promise<void> {
  let left = room;
  let level: Node[] = [root];
  for (let n = 0; n < depth && level.length > 0; n++) {
    const next: Node[] = [];
    for await (const { task, id, flow } of read(level, host)) {
      const whole = host.treeOf(flow);
      const told = fitting(whole, left);
      if (told !== whole) root.tree["truncated"] = true;
      if (!told) continue;
      left -= sizeOf(told, left);
      (task["nested"] as Tree)[id] = told;
      if (told === whole) next.push({ tree: whole, flow });
    }
    level = next;
  }
}

/** What is nested below these, several read at once. */
async function* read(level: readonly Node[], host: NestedTreesHost): AsyncGenerator<{ task: Tree; id: string; flow: Flow }> {
  const slots = level.flatMap(childrenOf);
  for (let from = 0; from < slots.length; from += READERS) {
    const some = slots.slice(from, from + READERS);
    const flows = await Promise.all(some.map(([, id]) => host.peek(id)));
    for (const [index, [task, id]] of some.entries()) {
      const flow = flows[index];
      if (flow) yield { task, id, flow };
    }
  }
}

/** The tasks that the tree tells of, with what is nested below each. */
function childrenOf({ tree, flow }: Node): [Tree, string][] {
  const found: [Tree, string][] = [];
  const stages = tree["stages"] as Readonly<Record<string, { tasks: Readonly<Record<string, Tree>> }>>;
  for (const { id, task } of flow.children.values()) {
    const told = stages[stageId(flow.idBase, task.stage.index)]?.tasks[taskId(flow.idBase, task.ordinal)];
    if (!told) continue;
    told["nested"] ??= {};
    found.push([told, id]);
  }
  return found;
}

const sizeOf = (tree: Tree, room: number): number => (room === Infinity ? 0 : bytesOf(tree) + KEY_FRAME);

function fitting(whole: Tree, room: number): Tree | undefined {
  if (sizeOf(whole, room) <= room) return whole;
  const { taskflowId, name, status } = whole;
  const head = { taskflowId, name, status, truncated: true };
  return sizeOf(head, room) <= room ? head : undefined;
}
