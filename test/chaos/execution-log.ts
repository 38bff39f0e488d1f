/**
 * What handlers really did, outside of the system: each run is two lines in a file, one when it
 * begins and one when it ends. Several processes append to it; a line is one write with O_APPEND,
 * and stands there when the handler goes on.
 */
import { openSync, readFileSync, writeSync } from "node:fs";

export interface ExecutionStart {
  /** Of the run: no other one has it. */
  readonly run: string;
  /** `taskflowId:taskId:attempt`. */
  readonly key: string;
  readonly delivery: number;
  readonly fence: number;
  readonly pid: number;
  readonly node: string;
  readonly action: string;
  readonly at: number;
}

export interface Execution extends ExecutionStart {
  /** Absent: the process ended before the handler did. */
  readonly end?: { readonly ok: boolean; readonly at: number };
  /** Place among all lines. */
  readonly line: number;
}

export type LogLine = ({ readonly kind: "start" } & ExecutionStart) | { kind: "end"; run: string; ok: boolean; at: number };

export class ExecutionLog {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, "a");
  }

  write(line: LogLine): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

/** In the order of their beginnings. */
export function readExecutions(path: string): Execution[] {
  const runs = new Map<string, Execution>();
  const text = readFileSync(path, "utf8");
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "") continue;
    const read = JSON.parse(line) as LogLine;
    if (read.kind === "start") {
      const { kind: _, ...start } = read;
      runs.set(read.run, { ...start, line: index });
    } else {
      const begun = runs.get(read.run);
      if (!begun) throw new Error(`${path}: run ${read.run} ended and never began`);
      runs.set(read.run, { ...begun, end: { ok: read.ok, at: read.at } });
    }
  }
  return [...runs.values()];
}

/** Task ids hold no colon, taskflows' ids may. */
export function partsOfKey(key: string): { taskflowId: string; taskId: string; attempt: number } {
  const [, taskflowId = "", taskId = "", attempt = ""] = /^(.+):([^:]+):(\d+)$/.exec(key) ?? [];
  return { taskflowId, taskId, attempt: Number(attempt) };
}
