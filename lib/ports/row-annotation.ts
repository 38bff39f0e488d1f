/** Annotations as stores find them. */
import { createHash } from "node:crypto";
import type { RowAnnotation } from "./store.ts";

/** Longer texts are found by their digest: a row stays small. */
const LONGEST = 256;

export function rowAnnotation({ type, value }: { readonly type: string; readonly value: unknown }): RowAnnotation {
  return { type, value: comparable(value) };
}

/** The same text for equal JSON values, whatever the order of their keys. */
function comparable(value: unknown): string {
  const text = JSON.stringify(sorted(value));
  return text.length <= LONGEST ? text : `#${createHash("sha256").update(text).digest("hex")}`;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
