import type { StoredTaskflow } from "./store.ts";

/** The entry of that number; undefined if a snapshot replaced it, or it does not exist. */
export function storedEntry(
  { entries, revision }: Pick<StoredTaskflow, "entries" | "revision">,
  number: number,
): string | undefined {
  if (number === 1) return entries[0];
  const index = entries.length - 1 - (revision - number);
  return index > 0 ? entries[index] : undefined;
}
