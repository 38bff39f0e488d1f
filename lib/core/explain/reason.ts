/** Reasons why parts of a taskflow are not moving, and the words they share. */
import type { Reason } from "../../../schemas/explanation.schema.ts";
import { REASON_CODES, type ReasonCode } from "../../../schemas/reasons.ts";
import type { Flow, Stage, Task } from "../model/flow.ts";
import { stageId, taskId } from "../model/ids.ts";
import type { ReasonText } from "../model/task-type.ts";

/** Maximum number of reasons in an explanation, and of one code. */
const MAX_REASONS = 100;
const MAX_OF_A_CODE = 20;

/** Collects reasons. It keeps as many as fit into a message, and counts the others by code. */
export class ReasonList {
  readonly #flow: Flow;
  readonly #kept = new Map<ReasonCode, Reason[]>();
  readonly #counts = new Map<ReasonCode, number>();

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  /**
   * @param about the task or stage concerned; undefined: the taskflow
   * @param describe called only for a reason that is kept
   */
  add(code: ReasonCode, about: Task | Stage | undefined, describe: () => ReasonText): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    const kept = this.#kept.get(code) ?? [];
    this.#kept.set(code, kept);
    if (kept.length >= MAX_OF_A_CODE) return;
    const { sentence, data = {}, movedBy } = describe();
    kept.push({ code, sentence, data, movedBy, ...this.#idsOf(about) });
  }

  #idsOf(about: Task | Stage | undefined): { stageId?: string; taskId?: string } {
    const { idBase } = this.#flow;
    if (!about) return {};
    if (!("stage" in about)) return { stageId: stageId(idBase, about.index) };
    return { stageId: stageId(idBase, about.stage.index), taskId: taskId(idBase, about.ordinal) };
  }

  /**
   * In the order of the codes, then of the tasks. `omitted`: the number of other reasons, by code.
   */
  toArray(): { reasons: Reason[]; omitted: Partial<Record<ReasonCode, number>> } {
    const reasons = REASON_CODES.flatMap((code) => this.#kept.get(code) ?? []).slice(0, MAX_REASONS);
    const omitted: Partial<Record<ReasonCode, number>> = {};
    for (const code of REASON_CODES) {
      const others = (this.#counts.get(code) ?? 0) - reasons.filter((reason) => reason.code === code).length;
      if (others > 0) omitted[code] = others;
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

/** Texts from outside may have any length. */
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
