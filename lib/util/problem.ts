import { shorten } from "./describe-value.ts";
import { suggestName } from "./suggest.ts";

/** A problem of a value from outside, as TASKFLOW_VALIDATION_ERROR lists it in `data`. */
export interface Problem {
  /** JSON pointer to the value; "" is the whole. For a missing value: where it belongs. */
  path: string;
  /** A sentence that names the path, the requirement, the value and the remedy. */
  message: string;
  /** The value, shortened; absent if there is none, or if it is an object or array. */
  value?: string | number | boolean | null;
  /** The violated JSON Schema keyword, or the name of the rule. */
  keyword?: string;
  /** The limit that was exceeded. */
  limit?: number;
  /** An error type of the catalogue, if the problem has one. */
  type?: string;
  /** In the last entry of a truncated list: the number of problems that are not listed. */
  more?: number;
}

/** One step of a JSON pointer. Keys from outside may have any length, so they are cut. */
export function pointerStep(key: string | number): string {
  if (typeof key === "number") return `/${key}`;
  const short = key.length > 256 ? `${key.slice(0, 256)}…` : key;
  return `/${short.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** A path in a sentence. @param root the name of the whole value, whose path is "" */
export function placeOf(path: string, root = "params"): string {
  return path === "" ? root : path;
}

/** The member `value` of a problem: scalars only. */
export function valueOf(value: unknown): { value?: string | number | boolean | null } {
  if (typeof value === "string") return { value: shorten(value) };
  return typeof value === "number" || typeof value === "boolean" || value === null ? { value } : {};
}

/** Of an alias that contradicts the setting `name`, for which it stands. */
export function contradiction(path: string, name: string, value: unknown): Problem {
  const message = `${path} is an alias of ${name} and contradicts it: give one of the two.`;
  return { path, message, ...valueOf(value), keyword: "alias" };
}

/** Completes a sentence about a key that is not among the `known` ones. */
export function unknownKey(key: string, known: readonly string[]): string {
  const suggestion = suggestName(key, known);
  if (suggestion !== undefined) return `is unknown: did you mean ${JSON.stringify(suggestion)}?`;
  return `is unknown. Known names: ${known.join(", ")}.`;
}
