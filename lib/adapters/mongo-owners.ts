/** Who drives what: taskflows are claimed in batches, and coordinators show that they live. */
import type { AnyBulkWriteOperation, Collection, Filter } from "mongodb";
import type { Claimed, KnownOwner } from "../ports/store.ts";
import type { MongoLink } from "./mongo-link.ts";
import { COORDINATORS, type CoordinatorDocument, newName, type RowDocument, TASKFLOWS } from "./mongo-schema.ts";

/** Rows that are taken by one command. */
const BATCH = 1_000;
/** By the server's clock. */
const FORGOTTEN_AFTER_MS = 24 * 3_600_000;

type Candidate = Pick<RowDocument, "_id" | "owner" | "fence" | "dueAt">;

/** Rows that are being taken. The mark is written into them, so that what became of it can be asked. */
interface Taking {
  readonly owner: string;
  readonly mark: string;
  readonly candidates: readonly Candidate[];
}

const CANDIDATE = { owner: 1, fence: 1, dueAt: 1 } as const;

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
        const before = claimed.length;
        for (let start = 0; start < candidates.length; start += BATCH) {
          claimed.push(...(await this.#take({ owner, mark, candidates: candidates.slice(start, start + BATCH) })));
        }
        // What others were faster to take may not be all that there is.
        isContended = claimed.length - before < candidates.length;
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

  async due(owner: string, until: number, limit: number): Promise<Claimed[]> {
    const found = await this.#link.persist(() =>
      this.#rows
        .find({ open: true, owner, dueAt: { $lte: until } }, { projection: CANDIDATE, batchSize: BATCH })
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
      return (await Promise.all(each)).flat();
    });
    found.sort((a, b) => (b.finishedAt ?? 0) - (a.finishedAt ?? 0));
    return found.slice(0, limit).map(({ _id }) => _id);
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
