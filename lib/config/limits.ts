/**
 * Limits that the service's `limits` may change. Over one of them `produce` answers
 * TASKFLOW_VALIDATION_ERROR, with the limit in the problem.
 *
 * Others belong to the format and are fixed in the schemas: ids of 128 characters, names, tags,
 * keys and text values of attributes of 256, durations of 10 years, `pageSize` of 1,000.
 * Characters are Unicode code points; bytes are those of the JSON text in UTF-8.
 */
import { MAX_ENTRIES } from "../../schemas/common.schema.ts";
import { integer } from "../util/kind.ts";
import { defaultsOf, setting, type ValuesOf } from "../util/setting.ts";

const limit = (value: number, description: string, highest?: number) =>
  setting(integer(0, highest), { default: value, description });

const MiB = 1024 * 1024;
/** The walk over data is recursive. */
const MAX_DEPTH = 1_000;

export const LIMITS = {
  tasks: limit(100_000, "Tasks of a taskflow"),
  stages: limit(10_000, "Stages of a taskflow"),
  definitionBytes: limit(16 * MiB, "Bytes of the whole definition"),
  importBytes: limit(64 * MiB, "Bytes of a whole export, as `importTaskflow` takes it"),
  paramsBytes: limit(4 * MiB, "Bytes of the params of one task. A message still has to fit the bus"),
  contextBytes: limit(1 * MiB, "Bytes of a taskflow's context"),
  jsonDepth: limit(
    64,
    "Objects and arrays inside one another in `params`, `meta` and `context`, each counted from itself: `{}` is 1",
    MAX_DEPTH,
  ),
  tags: limit(50, "Tags of a taskflow", MAX_ENTRIES),
  attributes: limit(50, "Attributes of a taskflow", MAX_ENTRIES),
  maxRetries: limit(1_000_000, "The option `maxRetries`"),
  nesting: limit(16, "Levels of nested taskflows below the root"),
};

/** What the service's `limits` may change. Bytes are those of JSON text in UTF-8. */
export type Limits = ValuesOf<typeof LIMITS>;

/** The limits where the service's `limits` are silent. */
export const DEFAULT_LIMITS: Limits = defaultsOf(LIMITS);
