/**
 * A process of its own that opens the SQLite store `argv[2]`, says that it is ready, and then
 * commits for ever (or, with `hold`, does nothing): creates and appends to a few taskflows. Each
 * write that was acknowledged is printed: "<id> <revision>".
 */
import { writeSync } from "node:fs";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import type { Write } from "../../lib/ports/store.ts";

const [file = "", mode = "write"] = process.argv.slice(2);
const FLOWS_IN_FLIGHT = 8;
const ENTRIES = 40;
const store = new SqliteStore({ file });
await store.open();
writeSync(1, '{"ready":true}\n');

if (mode === "hold") setInterval(() => undefined, 1_000);
else commitForEver();

function commitForEver(): void {
  let count = 0;
  const flows = Array.from({ length: FLOWS_IN_FLIGHT }, () => ({ id: "", revision: ENTRIES }));
  for (;;) {
    const writes = flows.map((flow): Write => {
      if (flow.revision === ENTRIES) {
        flow.id = `${process.pid}-${count++}`;
        flow.revision = 0;
      }
      return writeOf(flow.id, ++flow.revision);
    });
    const results = store.commit(writes);
    if (results.some((result) => result !== "stored")) throw new Error(`Not stored: ${results.join()}`);
    writeSync(1, flows.map(({ id, revision }) => `${id} ${revision}\n`).join(""));
  }
}

function writeOf(taskflowId: string, revision: number): Write {
  const entry = `${taskflowId} ${revision} ${"x".repeat(revision * 20)}`;
  const progress = revision;
  if (revision > 1) return { kind: "append", taskflowId, revision, entry, row: { progress } };
  return {
    kind: "create",
    entry,
    row: {
      taskflowId,
      name: null,
      status: "RUNNING",
      owner: "writer",
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
      createdAt: Date.now(),
      startedAt: null,
      finishedAt: null,
      retryAttempt: 0,
      progress,
      format: 1,
    },
  };
}
