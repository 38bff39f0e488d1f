/**
 * Claims rows in batches. Only the claim of a single row is atomic, so the order of steps is the
 * guard:
 *
 * 1. rows are read, with owner, fence and the number of times they were `secured`;
 * 2. then the leases of their owners: an owner that has renewed since it was judged dead keeps its
 *   rows;
 * 3. then each row is claimed that is still as it was read.
 *
 * A coordinator that comes back renews its lease, secures its rows, and sends only then. A claim
 * that did not see the renewal read its rows before they were secured: it either claims before
 * that, which the returning coordinator sees, or not at all.
 */
import type { AnyBulkWriteOperation, Collection } from "mongodb";
import type { Claimed, KnownOwner } from "../../ports/store.ts";
import { isLeaseExpired } from "../../ports/expired-lease.ts";
import type { MongoLink } from "./client.ts";
import { ownersOf } from "./distinct-owners.ts";
import { renewalsOf, COORDINATORS, type CoordinatorDocument, NESTED, newName, type RowDocument, TASKFLOWS } from "./schema.ts";

/** Rows per command. */
const BATCH = 1_000;

type Candidate = Pick<RowDocument, "_id" | "owner" | "fence" | "dueAt" | "rootId" | "secured">;

/** Rows that are being claimed. The mark is stored in them, so that the result can be queried. */
interface Taking {
  readonly owner: string;
  readonly mark: string;
  readonly candidates: readonly Candidate[];
}

const CANDIDATE = { owner: 1, fence: 1, dueAt: 1, rootId: 1, secured: 1 } as const;

/**
 * The claims for some candidates. The owner of a root owns its nested taskflows: so roots come
 * first, one document each.
 */
interface Trees {
  readonly roots: readonly Candidate[];
  readonly nested: readonly Candidate[];
  /** Roots with another owner. */
  readonly others: ReadonlySet<string>;
}

export class MongoClaims {
  readonly #link: MongoLink;
  /** Claims without an answer. They are completed before any other. */
  #unanswered: Taking[] = [];

  constructor(link: MongoLink) {
    this.#link = link;
  }

  async claim(
    owner: string,
    alive: readonly string[],
    dead: readonly KnownOwner[],
    limit: number,
    maxFormat: number,
  ): Promise<Claimed[]> {
    const claimed: Claimed[] = [];
    try {
      const unanswered = this.#unanswered.filter((taking) => taking.owner === owner);
      this.#unanswered = this.#unanswered.filter((taking) => taking.owner !== owner);
      for (const taking of unanswered) claimed.push(...(await this.#take(taking)));
      const mark = newName();
      const living = [...alive];
      let isContended = true;
      while (isContended && claimed.length < limit) {
        const candidates = await this.#link.persist(() => this.#candidates(living, limit - claimed.length, maxFormat, mark));
        if (candidates.length === 0) break;
        const trees = await this.#link.persist(() => this.#trees(owner, candidates, living, maxFormat));
        const returned = await this.#link.persist(() => this.#returned([...trees.roots, ...trees.nested], dead));
        living.push(...returned);
        const lost = await this.#takeTrees({ owner, mark }, trees, returned, claimed);
        // Other coordinators may have claimed some, or their owners returned: there may be more.
        isContended = lost + returned.length > 0;
      }
    } catch (error) {
      // Rows that are already claimed must reach the caller. The rest is left for the next call.
      if (claimed.length === 0) throw error;
    }
    return claimed;
  }

  /** The mark shows whether this call claimed it when its answer was lost. */
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

  /** The soonest due row of every dead owner, and of these the soonest. */
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

  /** The candidates with the other rows of their trees that no live coordinator owns. */
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

  /** Null (no owner) comes first. */
  async #deadOwners(alive: readonly string[]): Promise<(string | null)[]> {
    return [null, ...(await ownersOf(this.#rows, { open: true })).filter((owner) => !alive.includes(owner))];
  }

  /** Owners of rows that have renewed their lease since they were judged dead. */
  async #returned(rows: readonly Candidate[], dead: readonly KnownOwner[]): Promise<string[]> {
    const owners = [...new Set(rows.flatMap(({ owner }) => owner ?? []))];
    if (owners.length === 0) return [];
    const found = await this.#coordinators.find({ _id: { $in: owners } }).toArray();
    const beats = new Map(found.map((one) => [one._id, renewalsOf(one)]));
    return owners.filter((owner) => !isLeaseExpired(owner, dead, beats));
  }

  /** Returns the number of candidates that others claimed first. */
  async #takeTrees(
    by: { owner: string; mark: string },
    { roots, nested, others }: Trees,
    returned: readonly string[],
    claimed: Claimed[],
  ): Promise<number> {
    const isFree = ({ owner }: Candidate): boolean => owner === null || !returned.includes(owner);
    const kept = new Set([...others, ...roots.filter((one) => !isFree(one)).map(({ _id }) => _id)]);
    const lost = await this.#takeAll({ ...by, candidates: roots.filter(isFree) }, claimed);
    const free = nested.filter((one) => isFree(one) && !lost.has(one.rootId) && !kept.has(one.rootId));
    const lostNested = await this.#takeAll({ ...by, candidates: free }, claimed);
    return lost.size + lostNested.size;
  }

  /** Returns the ids of the candidates that others claimed first. */
  async #takeAll({ owner, mark, candidates }: Taking, claimed: Claimed[]): Promise<Set<string>> {
    const lost = new Set(candidates.map(({ _id }) => _id));
    for (let start = 0; start < candidates.length; start += BATCH) {
      const taken = await this.#take({ owner, mark, candidates: candidates.slice(start, start + BATCH) });
      claimed.push(...taken);
      for (const { taskflowId } of taken) lost.delete(taskflowId);
    }
    return lost;
  }

  /** The candidates that are ours now: all, unless another coordinator was faster. */
  async #take(taking: Taking): Promise<Claimed[]> {
    const { owner, mark, candidates } = taking;
    try {
      let tries = 0;
      const { matchedCount } = await this.#link.persist(() => {
        tries++;
        return this.#rows.bulkWrite(toOperations(taking), { ordered: false });
      });
      // Once it is acknowledged, a late earlier try finds nothing to change: owner and fence
      // differ.
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

  get #rows(): Collection<RowDocument> {
    return this.#link.collection<RowDocument>(TASKFLOWS);
  }

  get #coordinators(): Collection<CoordinatorDocument> {
    return this.#link.collection<CoordinatorDocument>(COORDINATORS);
  }
}

/** One statement for all candidates with the same owner and fence. */
function toOperations({ owner, mark, candidates }: Taking): AnyBulkWriteOperation<RowDocument>[] {
  const groups = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const key = JSON.stringify([candidate.owner, candidate.fence, candidate.secured]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [candidate]);
    else group.push(candidate);
  }
  return Array.from(groups.values(), (group) => {
    const { owner: before, fence, secured } = group[0]!;
    const asRead = { owner: before, fence, secured: secured ?? { $exists: false } };
    return {
      updateMany: {
        filter: { _id: { $in: group.map(({ _id }) => _id) }, ...asRead, open: true },
        update: { $set: { owner, claim: mark }, $unset: { secured: "" }, $inc: { fence: 1 } },
      },
    };
  });
}
