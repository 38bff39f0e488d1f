/** Who drives what: taskflows are claimed in batches, and coordinators show that they live. */
import type { AnyBulkWriteOperation, Collection, Filter } from "mongodb";
import type { Claimed, DuePlace, KnownOwner } from "../ports/store.ts";
import type { MongoLink } from "./mongo-link.ts";
import { COORDINATORS, type CoordinatorDocument, NESTED, newName, type RowDocument, TASKFLOWS } from "./mongo-schema.ts";

/** Rows that are taken by one command. */
const BATCH = 1_000;
/** By the server's clock. */
const FORGOTTEN_AFTER_MS = 24 * 3_600_000;
/** A row says "finished" after the end was announced, so nearly all of them were. What remains are commits that were under way at the same time. */
const LAST_MOMENTS_MS = 2_000;

type Candidate = Pick<RowDocument, "_id" | "owner" | "fence" | "dueAt" | "rootId">;

/** Rows that are being taken. The mark is written into them, so that what became of it can be asked. */
interface Taking {
  readonly owner: string;
  readonly mark: string;
  readonly candidates: readonly Candidate[];
}

const CANDIDATE = { owner: 1, fence: 1, dueAt: 1, rootId: 1 } as const;

/** What is to be taken for some candidates. Whoever gets a root gets what is nested in it: so roots come first, one document each. */
interface Trees {
  readonly roots: readonly Candidate[];
  readonly nested: readonly Candidate[];
  /** Roots that somebody else drives. */
  readonly others: ReadonlySet<string>;
}

export class MongoOwners {
  readonly #link: MongoLink;
  /** Takings whose answer never came. They are completed before anything else is claimed. */
  #unanswered: Taking[] = [];

  constructor(link: MongoLink) {
    this.#link = link;
  }

  async claim(owner: string, alive: readonly string[], limit: number, maxFormat: number): Promise<Claimed[]> {
    const claimed: Claimed[] = [];
    try {
      const unanswered = this.#unanswered.filter((taking) => taking.owner === owner);
      this.#unanswered = this.#unanswered.filter((taking) => taking.owner !== owner);
      for (const taking of unanswered) claimed.push(...(await this.#take(taking)));
      const mark = newName();
      let isContended = true;
      while (isContended && claimed.length < limit) {
        const candidates = await this.#link.persist(() => this.#candidates(alive, limit - claimed.length, maxFormat, mark));
        if (candidates.length === 0) break;
        const trees = await this.#link.persist(() => this.#trees(owner, candidates, alive, maxFormat));
        const lost = await this.#takeAll({ owner, mark, candidates: trees.roots }, claimed);
        const free = trees.nested.filter(({ rootId }) => !lost.has(rootId) && !trees.others.has(rootId));
        const lostNested = await this.#takeAll({ owner, mark, candidates: free }, claimed);
        // What others were faster to take may not be all that there is.
        isContended = lost.size + lostNested.size > 0;
      }
    } catch (error) {
      // What is ours already must reach the caller. The rest is for the next call.
      if (claimed.length === 0) throw error;
    }
    return claimed;
  }

  /** The mark tells whether it was this call, where its answer was lost. */
  async reopen(taskflowId: string, owner: string, fence: number): Promise<boolean> {
    const mark = newName();
    let tries = 0;
    const { matchedCount } = await this.#link.persist(() => {
      tries++;
      return this.#rows.updateOne(
        { _id: taskflowId, fence, open: { $ne: true } },
        { $set: { owner, status: "RUNNING", finishedAt: null, dueAt: 0, open: true, claim: mark }, $inc: { fence: 1 } },
      );
    });
    if (matchedCount > 0 || tries === 1) return matchedCount > 0;
    return (await this.#link.persist(() => this.#marked({ mark, ids: [taskflowId] }))).has(taskflowId);
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
        .find({ open: true, owner, ...from }, { projection: CANDIDATE, batchSize: BATCH })
        .sort({ dueAt: 1, _id: 1 })
        .limit(limit)
        .toArray(),
    );
    return found.map(({ _id, fence, dueAt }) => ({ taskflowId: _id, fence, dueAt }));
  }

  async lastFinished(owner: string | null, limit: number): Promise<string[]> {
    const found = await this.#link.persist(async () => {
      const owners = owner === null ? [null, ...(await this.#steps({ finishedAt: { $gte: 0 } }))] : [owner];
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

  /** Trees that may be removed, each with its root at the end. */
  async expired(before: number, limit: number): Promise<string[][]> {
    return this.#link.persist(async () => {
      const trees: string[][] = [];
      for (const owner of [null, ...(await this.#steps({ finishedAt: { $gte: 0 } }))]) {
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

  /** What is nested in these roots, each with it, where all of it is finished. */
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

  async beat(owner: string): Promise<KnownOwner[]> {
    const now = await this.#link.once(() =>
      this.#coordinators.findOneAndUpdate(
        { _id: owner },
        { $inc: { beat: 1 }, $currentDate: { at: true } },
        { upsert: true, returnDocument: "after" },
      ),
    );
    const known = await this.#link.once(() => this.#coordinators.find({}).toArray());
    const forgotten = (now?.at.getTime() ?? 0) - FORGOTTEN_AFTER_MS;
    const old = known.filter(({ at }) => at.getTime() < forgotten);
    for (const { _id, beat } of old) await this.#link.once(() => this.#coordinators.deleteOne({ _id, beat }));
    return known.filter((each) => !old.includes(each)).map(({ _id, beat }) => ({ owner: _id, beat }));
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

  /** Of every dead owner its soonest due, then of all of these the soonest. */
  async #candidates(alive: readonly string[], limit: number, maxFormat: number, mark: string): Promise<Candidate[]> {
    const found: Candidate[] = [];
    for (const owner of await this.#deadOwners(alive)) {
      const cursor = this.#rows
        .find(
          { open: true, owner, format: { $lte: maxFormat }, claim: { $ne: mark } },
          { projection: CANDIDATE, batchSize: 10 * BATCH },
        )
        .sort({ dueAt: 1, _id: 1 })
        .limit(limit);
      found.push(...(await cursor.toArray()));
    }
    found.sort((a, b) => a.dueAt - b.dueAt || (a._id < b._id ? -1 : 1));
    return found.slice(0, limit);
  }

  /** With the candidates, the rest of their trees that nobody alive has. */
  async #trees(owner: string, candidates: readonly Candidate[], alive: readonly string[], maxFormat: number): Promise<Trees> {
    const roots = candidates.filter(({ _id, rootId }) => rootId === _id);
    const ids = [...new Set(candidates.map(({ rootId }) => rootId))];
    const isDead = ({ owner: of }: Candidate): boolean => of === null || !alive.includes(of);
    const unfinished = { open: true, format: { $lte: maxFormat } } as const;
    const others = new Set<string>();
    if (roots.length < ids.length) {
      const known = new Set(roots.map(({ _id }) => _id));
      const missing = { _id: { $in: ids.filter((id) => !known.has(id)) }, ...unfinished };
      for (const root of await this.#rows.find(missing, { projection: CANDIDATE, batchSize: BATCH }).toArray()) {
        if (isDead(root)) roots.push(root);
        else if (root.owner !== owner) others.add(root._id);
      }
    }
    const nested = await this.#rows
      .find({ rootId: { $in: ids }, ...NESTED, ...unfinished }, { projection: CANDIDATE, batchSize: BATCH })
      .toArray();
    const all = [...candidates.filter(({ _id, rootId }) => rootId !== _id), ...nested.filter(isDead)];
    return { roots, nested: [...new Map(all.map((one) => [one._id, one])).values()], others };
  }

  /** Null, nobody's, comes first. */
  async #deadOwners(alive: readonly string[]): Promise<(string | null)[]> {
    return [null, ...(await this.#steps({ open: true })).filter((owner) => !alive.includes(owner))];
  }

  /** All owners of such rows: one step in the index each, however many taskflows they own. */
  async #steps(filter: Filter<RowDocument>): Promise<string[]> {
    const owners: string[] = [];
    for (;;) {
      const next = await this.#rows.findOne(
        { ...filter, owner: { $gt: owners.at(-1) ?? "" } },
        { projection: { _id: 0, owner: 1 }, sort: { owner: 1 } },
      );
      if (typeof next?.owner !== "string") return owners;
      owners.push(next.owner);
    }
  }

  /** Answers the ids of those that others were faster to take. */
  async #takeAll({ owner, mark, candidates }: Taking, claimed: Claimed[]): Promise<Set<string>> {
    const lost = new Set(candidates.map(({ _id }) => _id));
    for (let start = 0; start < candidates.length; start += BATCH) {
      const taken = await this.#take({ owner, mark, candidates: candidates.slice(start, start + BATCH) });
      claimed.push(...taken);
      for (const { taskflowId } of taken) lost.delete(taskflowId);
    }
    return lost;
  }

  /** Those of the candidates that are ours now: all, unless somebody else was there first. */
  async #take(taking: Taking): Promise<Claimed[]> {
    const { owner, mark, candidates } = taking;
    try {
      let tries = 0;
      const { matchedCount } = await this.#link.persist(() => {
        tries++;
        return this.#rows.bulkWrite(toOperations(taking), { ordered: false });
      });
      // Once it is acknowledged, a former try that comes late finds nothing that it could change: owner and fence are others.
      const isAll = tries === 1 && matchedCount === candidates.length;
      const ids = candidates.map(({ _id }) => _id);
      const ours = isAll ? undefined : await this.#link.persist(() => this.#marked({ mark, ids }));
      return candidates.flatMap(({ _id, fence, dueAt }) =>
        ours === undefined || ours.has(_id) ? [{ taskflowId: _id, fence: fence + 1, dueAt }] : [],
      );
    } catch (error) {
      this.#unanswered.push({ owner, mark, candidates });
      throw error;
    }
  }

  async #marked({ mark, ids }: { mark: string; ids: string[] }): Promise<Set<string>> {
    const marked = await this.#rows
      .find({ _id: { $in: ids }, claim: mark }, { projection: { _id: 1 }, batchSize: BATCH })
      .toArray();
    return new Set(marked.map(({ _id }) => _id));
  }
}

/** Of one owner's ends, the last first: those that may have been in its last commits. */
function lastMoments<Row extends Pick<RowDocument, "finishedAt">>(ends: readonly Row[]): Row[] {
  const since = (ends[0]?.finishedAt ?? 0) - LAST_MOMENTS_MS;
  return ends.filter(({ finishedAt }) => (finishedAt ?? 0) >= since);
}

/** One statement for all candidates of the same owner and fence. */
function toOperations({ owner, mark, candidates }: Taking): AnyBulkWriteOperation<RowDocument>[] {
  const groups = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const key = JSON.stringify([candidate.owner, candidate.fence]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [candidate]);
    else group.push(candidate);
  }
  return [...groups.values()].map((group) => ({
    updateMany: {
      filter: { _id: { $in: group.map(({ _id }) => _id) }, owner: group[0]!.owner, fence: group[0]!.fence, open: true },
      update: { $set: { owner, claim: mark }, $inc: { fence: 1 } },
    },
  }));
}
