import type { Collection, Filter } from "mongodb";
import type { RowDocument } from "./schema.ts";

/** All owners of such rows: one step in the index each, however many taskflows they own. */
export async function ownersOf(rows: Collection<RowDocument>, filter: Filter<RowDocument>): Promise<string[]> {
  const owners: string[] = [];
  for (;;) {
    const next = await rows.findOne(
      { ...filter, owner: { $gt: owners.at(-1) ?? "" } },
      { projection: { _id: 0, owner: 1 }, sort: { owner: 1 } },
    );
    if (typeof next?.owner !== "string") return owners;
    owners.push(next.owner);
  }
}
