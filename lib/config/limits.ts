/**
 * Limits that `settings.limits` of the service may change. Over one of them `produce` answers TASKFLOW_VALIDATION_ERROR, with the limit in the problem.
 *
 * Others belong to the format and are fixed in the schemas: ids of 128 characters, names, tags, keys and text values of attributes of 256,
 * durations of 10 years, `pageSize` of 1,000. Characters are Unicode code points; bytes are those of the JSON text in UTF-8.
 */
import { MAX_ENTRIES } from "../../schemas/common.schema.ts";
import { describeValue } from "../util/describe-value.ts";

/** What `settings.limits` may change. Bytes are those of JSON text in UTF-8. */
export interface Limits {
  /** Tasks of a taskflow, those made by forEach counted. */
  readonly tasks: number;
  readonly stages: number;
  /** `needs` of one task. */
  readonly needs: number;
  /** JSON text of the whole definition. */
  readonly definitionBytes: number;
  /** JSON text of a whole export, as `importTaskflow` takes it. */
  readonly importBytes: number;
  /** JSON text of the params of one task. A message still has to fit the bus. */
  readonly paramsBytes: number;
  /** JSON text of a taskflow's context. */
  readonly contextBytes: number;
  /**
   * Objects and arrays inside one another in `params`, `meta` and `context`, each counted from itself: `{}` is 1, `{ a: [] }` is 2.
   * At most 1,000: the walk over them is recursive.
   */
  readonly jsonDepth: number;
  /** At most 1,000, as are attributes. */
  readonly tags: number;
  readonly attributes: number;
  readonly maxRetries: number;
  /** Levels of nested taskflows below the root. */
  readonly nesting: number;
}

const MiB = 1024 * 1024;

/** The limits where `settings.limits` says nothing. */
export const DEFAULT_LIMITS: Limits = Object.freeze({
  tasks: 100_000,
  stages: 10_000,
  needs: 1_000,
  definitionBytes: 16 * MiB,
  importBytes: 64 * MiB,
  paramsBytes: 4 * MiB,
  contextBytes: 1 * MiB,
  jsonDepth: 64,
  tags: 50,
  attributes: 50,
  maxRetries: 1_000_000,
  nesting: 16,
});

/** What the settings may raise a limit to; others have no end. */
const HIGHEST: Partial<Record<string, number>> = { jsonDepth: 1_000, tags: MAX_ENTRIES, attributes: MAX_ENTRIES };

/** The defaults with what `settings.limits` says. Throws a RangeError that names a setting which is unknown or not a whole number from 0 on. */
export function resolveLimits(settings: Readonly<Record<string, unknown>> = {}): Limits {
  const limits: Record<string, number> = { ...DEFAULT_LIMITS };
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(DEFAULT_LIMITS, name)) {
      throw new RangeError(`settings.limits.${name} is not known: there are ${Object.keys(DEFAULT_LIMITS).join(", ")}.`);
    }
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`settings.limits.${name} is ${describeValue(value)}: give a whole number from 0 on.`);
    }
    const highest = HIGHEST[name];
    if (highest !== undefined && value > highest) {
      throw new RangeError(`settings.limits.${name} is ${value}: give at most ${highest}.`);
    }
    limits[name] = value;
  }
  return Object.freeze({ ...DEFAULT_LIMITS, ...limits });
}
