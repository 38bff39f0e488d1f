/** Annotations in the form that stores search. */
import { createHash } from "node:crypto";
import type { RowAnnotation } from "./store.ts";

/** Longer texts are replaced by their digest, so that a row stays small. */
const MAX_TEXT = 256;

export function rowAnnotation({ type, value }: { readonly type: string; readonly value: unknown }): RowAnnotation {
  return { type, value: comparable(value) };
}

/** Equal JSON values give equal texts, in whatever order their keys are. */
function comparable(value: unknown): string {
  const text = JSON.stringify(sorted(value));
  return text.length <= MAX_TEXT ? text : `#${createHash("sha256").update(text).digest("hex")}`;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
