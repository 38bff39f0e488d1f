/** Rows and writes for the tests of a store. */
import { expect } from "@jest/globals";
import type { StoredTaskflow, TaskflowRow, Write } from "../../lib/ports/store.ts";

export function newRow(taskflowId: string, fields: Partial<TaskflowRow> = {}): TaskflowRow {
  return {
    taskflowId,
    name: `flow ${taskflowId}`,
    status: "RUNNING",
    owner: "node-a",
    fence: 1,
    dueAt: 0,
    rootId: taskflowId,
    parentTaskflowId: null,
    tenant: null,
    template: null,
    tags: [],
    attributes: {},
    annotations: [],
    errorType: null,
    createdAt: 1_790_000_000_000,
    startedAt: null,
    finishedAt: null,
    retryAttempt: 0,
    progress: 0,
    format: 1,
    ...fields,
  };
}

export function create(taskflowId: string, fields: Partial<TaskflowRow> = {}, entry = `${taskflowId} 1`): Write {
  return { kind: "create", row: newRow(taskflowId, fields), entry };
}

export function append(taskflowId: string, revision: number, row?: Extract<Write, { kind: "append" }>["row"]): Write {
  const write = { kind: "append", taskflowId, revision, entry: `${taskflowId} ${revision}` } as const;
  return row === undefined ? write : { ...write, row };
}

/** What is read of a taskflow that was not compacted. */
export function whole(row: TaskflowRow, entries: readonly string[]): StoredTaskflow {
  return { row, journal: expect.any(String) as unknown as string, entries: [...entries], revision: entries.length };
}
