/** What beats tell of whose taskflows may be taken. */
import type { KnownOwner } from "./store.ts";

/**
 * Has it left, or not beaten since it was judged dead?
 * @param beats read after the rows that are to be taken
 */
export function isLeaseExpired(owner: string, dead: readonly KnownOwner[], beats: ReadonlyMap<string, number>): boolean {
  const beat = beats.get(owner);
  return beat === undefined || dead.some((one) => one.owner === owner && one.renewals === beat);
}
