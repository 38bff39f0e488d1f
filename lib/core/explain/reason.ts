/** Why a part of a taskflow is not moving. */
import type { Reason } from "../../../schemas/explanation.schema.ts";
import { REASON_CODES, type ReasonCode } from "../../../schemas/reason-codes.ts";
import type { Flow, Stage, Task } from "../model/flow.ts";
import { stageId, taskId } from "../model/ids.ts";
import type { ReasonText } from "../model/task-type.ts";

/** Reasons that are told in all, and of one code. */
const MOST = 100;
const MOST_OF_A_CODE = 20;

/** Collects reasons: so many are told that they fit into a message, the rest is counted by code. */
export class ReasonList {
  readonly #flow: Flow;
  readonly #told = new Map<ReasonCode, Reason[]>();
  readonly #counts = new Map<ReasonCode, number>();

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  /**
   * @param about the task or stage that it is about; the taskflow if absent
   * @param tell called only for a reason that is told
   */
  add(code: ReasonCode, about: Task | Stage | undefined, tell: () => ReasonText): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    const told = this.#told.get(code) ?? [];
    this.#told.set(code, told);
    if (told.length >= MOST_OF_A_CODE) return;
    const { sentence, data = {}, movedBy } = tell();
    told.push({ code, sentence, data, movedBy, ...this.#place(about) });
  }

  #place(about: Task | Stage | undefined): { stageId?: string; taskId?: string } {
    const { idBase } = this.#flow;
    if (!about) return {};
    if (!("stage" in about)) return { stageId: stageId(idBase, about.index) };
    return { stageId: stageId(idBase, about.stage.index), taskId: taskId(idBase, about.ordinal) };
  }

  /** In the order of the codes, then of the tasks; `omitted`: how many more there are, by code. */
  toArray(): { reasons: Reason[]; omitted: Partial<Record<ReasonCode, number>> } {
    const reasons = REASON_CODES.flatMap((code) => this.#told.get(code) ?? []).slice(0, MOST);
    const omitted: Partial<Record<ReasonCode, number>> = {};
    for (const code of REASON_CODES) {
      const left = (this.#counts.get(code) ?? 0) - reasons.filter((reason) => reason.code === code).length;
      if (left > 0) omitted[code] = left;
    }
    return { reasons, omitted };
  }
}

/** "350 ms", "4.1 s", "12 min 5 s", "3 h 20 min", "5 days 2 h". */
export function span(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (seconds < 60) return `${Math.floor(ms / 100) / 10} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return pair(minutes, "min", seconds % 60, "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return pair(hours, "h", minutes % 60, "min");
  const days = Math.floor(hours / 24);
  return pair(days, days === 1 ? "day" : "days", hours % 24, "h");
}

const pair = (large: number, unit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`;

/** Texts come from outside and have any length. */
export function cut(text: string, length = 200): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

interface Named {
  readonly definition: { readonly name: string };
  readonly stage: { readonly name: string };
}

/** "1 task", "3 tasks". */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;
export const nameOf = ({ definition, stage }: Named): string => `task "${definition.name}" of stage "${stage.name}"`;
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
