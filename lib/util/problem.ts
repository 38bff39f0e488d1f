import { shorten } from "./describe-value.ts";
import { suggestName } from "./suggest.ts";

/** Something that is wrong with a value from outside, as TASKFLOW_VALIDATION_ERROR lists it in `data`. */
export interface Problem {
  /** JSON pointer to the place; "" is the whole. For something missing: where it belongs. */
  path: string;
  /** A sentence that names the path, the value, and what to do. */
  message: string;
  /** The value that is there, shortened; absent where nothing is, or where it is an object or array. */
  value?: string | number | boolean | null;
  /** JSON Schema keyword, or name of the rule. */
  keyword?: string;
  /** The limit that is passed. */
  limit?: number;
  /** An error type of the catalogue, where the problem has one. */
  type?: string;
  /** In the last entry of a list that was cut: how many are not listed. */
  more?: number;
}

/** One step of a JSON pointer. A key of any length comes from outside, so that it is cut. */
export function pointerStep(key: string | number): string {
  if (typeof key === "number") return `/${key}`;
  const short = key.length > 256 ? `${key.slice(0, 256)}…` : key;
  return `/${short.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** A path in a sentence. */
export function placeOf(path: string): string {
  return path === "" ? "The whole" : path;
}

/** The value of a problem: scalars only. */
export function valueOf(value: unknown): { value?: string | number | boolean | null } {
  if (typeof value === "string") return { value: shorten(value) };
  return typeof value === "number" || typeof value === "boolean" || value === null ? { value } : {};
}

/** Completes a sentence about a key that none of the `known` is. */
export function unknownKey(key: string, known: readonly string[]): string {
  const suggestion = suggestName(key, known);
  if (suggestion !== undefined) return `is not known here: did you mean ${JSON.stringify(suggestion)}?`;
  return `is not known here: there are ${known.join(", ")}.`;
}
