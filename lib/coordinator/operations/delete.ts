/**
 * The action `deleteTaskflow`: a finished taskflow goes, with all that is nested below it. One that
 * cannot be read goes whatever its row says: nothing can end it.
 */
import { type Flow, isFinished, isOver } from "../../core/model/flow.ts";
import { isTaskflowError, taskflowError, taskflowNotFound } from "../../errors/errors.ts";
import type { Store } from "../../ports/store.ts";
import type { Coordinator } from "../coordinator.ts";
import { FORMAT } from "../turn/settings.ts";

export interface DeletePorts {
  readonly coordinator: Pick<Coordinator, "peek" | "owners">;
  readonly store: Pick<Store, "delete" | "readRaw" | "list">;
}

/** A taskflow that is to go, or whose root is. */
interface Member {
  readonly taskflowId: string;
  readonly rootId: string;
  readonly children: readonly string[];
  /** Why it has to stay. */
  readonly status: string | undefined;
  readonly isUnreadable: boolean;
}

/** What is nested goes first: a deletion that was cut short can be repeated. */
export async function deleteTaskflow(
  ports: DeletePorts,
  { taskflowId }: { taskflowId: string },
): Promise<{ taskflowId: string }> {
  const member = await memberOf(ports, taskflowId);
  if (!member) throw taskflowNotFound(taskflowId);
  const root = member.rootId === taskflowId ? member : await memberOf(ports, member.rootId);
  const family = await familyOf(ports, member);
  for (const each of [root, ...family]) if (each?.status !== undefined) throw unfinished(taskflowId, each);
  for (const { taskflowId: id, isUnreadable } of family.toReversed()) {
    const result = await ports.store.delete(id, isUnreadable);
    if (result === "active") throw unfinished(taskflowId, { ...member, status: "RUNNING" });
    if (result === "missing" && id === taskflowId) throw taskflowNotFound(taskflowId);
  }
  return { taskflowId };
}

async function memberOf(ports: DeletePorts, taskflowId: string): Promise<Member | undefined> {
  try {
    const flow = await ports.coordinator.peek(taskflowId);
    return flow && memberFrom(flow);
  } catch (error) {
    if (!isTaskflowError(error, "TASKFLOW_UNREADABLE")) throw error;
    return unreadableMember(ports, taskflowId);
  }
}

const memberFrom = (flow: Flow): Member => ({
  taskflowId: flow.taskflowId,
  rootId: flow.rootId,
  children: [...flow.children.keys()],
  status: isOver(flow) ? undefined : flow.status,
  isUnreadable: false,
});

/** One of a newer format stays while a coordinator that can read it may drive it. */
async function unreadableMember({ coordinator, store }: DeletePorts, taskflowId: string): Promise<Member | undefined> {
  const raw = await store.readRaw(taskflowId);
  if (!raw) return undefined;
  const { rootId, status, format, owner } = raw.row;
  const isDriven = format > FORMAT && !isFinished(status) && owner !== null && coordinator.owners.isAlive(owner);
  const children: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list({ parentTaskflowId: taskflowId, pageSize: 1_000, ...(cursor === undefined ? {} : { cursor }) });
    children.push(...page.rows.map((row) => row.taskflowId));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return { taskflowId, rootId, children, status: isDriven ? status : undefined, isUnreadable: true };
}

/** The taskflow, and all that is nested below it, level by level. */
async function familyOf(ports: DeletePorts, member: Member): Promise<Member[]> {
  const family = [member];
  const known = new Set([member.taskflowId]);
  // It grows while it is gone through.
  for (const { children } of family)
    for (const id of children) {
      if (known.has(id)) continue;
      known.add(id);
      const child = await memberOf(ports, id);
      if (child) family.push(child);
    }
  return family;
}

function unfinished(taskflowId: string, { taskflowId: id, status }: Member): Error {
  const why = id === taskflowId ? `it is ${status}` : `"${id}" of the same tree is ${status}`;
  const message = `Taskflow "${taskflowId}" must be finished to be deleted: ${why}.`;
  return taskflowError("TASKFLOW_NOT_FINISHED", message, { taskflowId, status });
}
