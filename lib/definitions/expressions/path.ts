/**
 * Plain paths, computed at once: `context.items[0].id`, `stages.order.tasks.pay.response.total`.
 */
import { isRecord } from "../../util/record.ts";
import type { Step } from "./expression.ts";

/** The path needs JSONata: it maps over an array, or takes an element of something else. */
export const NOT_PLAIN = Symbol("not plain");

/** The value below `root`; undefined: absent. JSON values only. */
export function walk(root: unknown, steps: readonly Step[]): unknown {
  let value = root;
  for (const step of steps) {
    if (value === undefined) return undefined;
    if (typeof step === "number") {
      if (!Array.isArray(value)) return NOT_PLAIN;
      value = (value as unknown[])[step];
    } else if (Array.isArray(value)) {
      return NOT_PLAIN;
    } else {
      value = isRecord(value) && Object.hasOwn(value, step) ? value[step] : undefined;
    }
  }
  return value;
}
