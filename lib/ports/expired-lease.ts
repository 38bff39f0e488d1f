import type { KnownOwner } from "./store.ts";

/**
 * Whether the owner has left, or has not renewed its lease since it was judged dead.
 * @param renewals by owner; must be read after the rows that a claim takes
 */
export function isLeaseExpired(owner: string, dead: readonly KnownOwner[], renewals: ReadonlyMap<string, number>): boolean {
  const current = renewals.get(owner);
  return current === undefined || dead.some((known) => known.owner === owner && known.renewals === current);
}
