/** Ownership and leases in a MongoDB store. `claims.ts` has the takeover. */
import { randomInt } from "node:crypto";
import type { Collection, Filter } from "mongodb";
import type { Claimed, DuePlace, KnownOwner } from "../../ports/store.ts";
import type { MongoLink } from "./client.ts";
import { ownersOf } from "./distinct-owners.ts";
import { renewalsOf, COORDINATORS, type CoordinatorDocument, NESTED, type RowDocument, TASKFLOWS } from "./schema.ts";

/** Rows released or read per command. */
const BATCH = 1_000;
/** By the server's clock. */
const FORGOTTEN_AFTER_MS = 24 * 3_600_000;
/**
 * A row says "finished" only after the end was announced, so nearly all of them were. The rest are
 * commits that were under way at the same time.
 */
const LAST_MOMENTS_MS = 2_000;

export class MongoOwners {
  readonly #link: MongoLink;

  constructor(link: MongoLink) {
    this.#link = link;
  }

  async release(owner: string, taskflowIds: readonly string[]): Promise<void> {
    for (let start = 0; start < taskflowIds.length; start += BATCH) {
      const _id = { $in: taskflowIds.slice(start, start + BATCH) };
      await this.#link.persist(() => this.#rows.updateMany({ _id, owner, open: true }, { $set: { owner: null } }));
    }
  }

  async due(owner: string, until: number, limit: number, after?: DuePlace): Promise<Claimed[]> {
    const from: Filter<RowDocument> = after
      ? { dueAt: { $gte: after.dueAt, $lte: until }, $or: [{ dueAt: { $gt: after.dueAt } }, { _id: { $gt: after.taskflowId } }] }
      : { dueAt: { $lte: until } };
    const found = await this.#link.persist(() =>
      this.#rows
        .find({ open: true, owner, ...from }, { projection: { fence: 1, dueAt: 1 }, batchSize: BATCH })
        .sort({ dueAt: 1, _id: 1 })
        .limit(limit)
        .toArray(),
    );
    return found.map(({ _id, fence, dueAt }) => ({ taskflowId: _id, fence, dueAt }));
  }

  async lastFinished(owner: string | null, limit: number): Promise<string[]> {
    const found = await this.#link.persist(async () => {
      const owners = owner === null ? [null, ...(await ownersOf(this.#rows, { finishedAt: { $gte: 0 } }))] : [owner];
      const each = owners.map((one) =>
        this.#rows
          .find({ owner: one, finishedAt: { $gte: 0 } }, { projection: { finishedAt: 1 }, batchSize: BATCH })
          .sort({ finishedAt: -1 })
          .limit(limit)
          .toArray(),
      );
      return (await Promise.all(each)).flatMap(lastMoments);
    });
    found.sort((a, b) => (b.finishedAt ?? 0) - (a.finishedAt ?? 0));
    return found.slice(0, limit).map(({ _id }) => _id);
  }

  /** Trees that may be removed, each with its root last. */
  async expired(before: number, limit: number): Promise<string[][]> {
    return this.#link.persist(async () => {
      const trees: string[][] = [];
      for (const owner of [null, ...(await ownersOf(this.#rows, { finishedAt: { $gte: 0 } }))]) {
        const roots = this.#rows
          .find(
            { owner, finishedAt: { $gte: 0, $lt: before }, parentTaskflowId: { $exists: false } },
            { projection: { _id: 1 }, batchSize: limit },
          )
          .sort({ finishedAt: 1 });
        try {
          while (trees.length < limit && (await roots.hasNext())) {
            trees.push(...(await this.#finishedTrees(roots.readBufferedDocuments().map(({ _id }) => _id))));
          }
        } finally {
          await roots.close();
        }
      }
      return trees.slice(0, limit);
    });
  }

  /** The taskflows nested in these roots, by root, where all of them are finished. */
  async #finishedTrees(roots: readonly string[]): Promise<string[][]> {
    const nested = await this.#rows
      .find({ rootId: { $in: [...roots] }, ...NESTED }, { projection: { rootId: 1, open: 1 }, batchSize: BATCH })
      .toArray();
    const byRoot = Map.groupBy(nested, ({ rootId }) => rootId);
    return roots.flatMap((root) => {
      const below = byRoot.get(root) ?? [];
      return below.some(({ open }) => open === true) ? [] : [[...below.map(({ _id }) => _id), root]];
    });
  }

  async renewLease(owner: string): Promise<KnownOwner[]> {
    const now = await this.#link.once(() =>
      this.#coordinators.findOneAndUpdate(
        { _id: owner },
        // Starts at a random number: a coordinator that left and returns must not repeat a number
        // at which it was judged.
        { $inc: { renewals: 1 }, $setOnInsert: { from: randomInt(2 ** 47) }, $currentDate: { at: true } },
        { upsert: true, returnDocument: "after" },
      ),
    );
    const known = await this.#link.once(() => this.#coordinators.find({}).toArray());
    const forgotten = (now?.at.getTime() ?? 0) - FORGOTTEN_AFTER_MS;
    const old = known.filter(({ at }) => at.getTime() < forgotten);
    for (const { _id, renewals } of old) await this.#link.once(() => this.#coordinators.deleteOne({ _id, renewals }));
    return known.filter((each) => !old.includes(each)).map((each) => ({ owner: each._id, renewals: renewalsOf(each) }));
  }

  /**
   * One command for any number of rows. Repeated or late, it is harmless: the number only has to
   * differ from the previous one.
   */
  async confirmOwnership(owner: string): Promise<void> {
    await this.#link.persist(() => this.#rows.updateMany({ owner, open: true }, { $inc: { secured: 1 } }));
  }

  async leave(owner: string): Promise<void> {
    await this.#link.persist(() => this.#coordinators.deleteOne({ _id: owner }));
  }

  get #rows(): Collection<RowDocument> {
    return this.#link.collection<RowDocument>(TASKFLOWS);
  }

  get #coordinators(): Collection<CoordinatorDocument> {
    return this.#link.collection<CoordinatorDocument>(COORDINATORS);
  }
}

/**
 * One owner's finished taskflows, the latest first: those that may have been in its last commits.
 */
function lastMoments<Row extends Pick<RowDocument, "finishedAt">>(ends: readonly Row[]): Row[] {
  const since = (ends[0]?.finishedAt ?? 0) - LAST_MOMENTS_MS;
  return ends.filter(({ finishedAt }) => (finishedAt ?? 0) >= since);
}
