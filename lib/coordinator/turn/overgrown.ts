import type { Flow } from "../../core/model/flow.ts";

/** A taskflow of so many tasks may have twice as many facts, and so on: its state is as large. */
const TASKS = 1_000;

/** Whether a journal has grown beyond the size of its state. */
export function isOvergrown({ tasks }: Flow, facts: number, compactAfter: number): boolean {
  return facts > compactAfter * (1 + tasks.length / TASKS);
}
