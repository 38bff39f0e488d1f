import type { Store } from "../ports/store.ts";
import { SqliteStore } from "./store-sqlite.ts";

/**
 * The store that a URL names, not yet open.
 * @throws RangeError if it names none
 */
export function storeOf(url: string): Store {
  if (url === "memory:") return new SqliteStore({ file: ":memory:" });
  if (url.startsWith("sqlite:") && url.length > "sqlite:".length) return new SqliteStore({ file: url.slice("sqlite:".length) });
  const shown = url.replace(/\/\/[^@/]*@/, "//…@");
  throw new RangeError(`"${shown}" names no store: give sqlite:<file> or memory:.`);
}
