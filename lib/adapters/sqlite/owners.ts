/**
 * Ownership in a SQLite store. One coordinator has the store at a time; its taskflows may have had
 * other owners.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Claimed, DuePlace } from "../../ports/store.ts";
import { DUE, DUE_AFTER, EXPIRED, LAST_FINISHED, NESTED_IN, NEXT_OWNER, OWNED_BY, THESE, UNFINISHED } from "./schema.ts";

/** A row to claim, as it was read. */
interface Found extends Claimed {
  readonly number: number;
}

/** Inside the caller's transaction, where it writes. */
export class SqliteOwners {
  readonly #nextOwner: StatementSync;
  readonly #ownedBy: StatementSync;
  readonly #nestedIn: StatementSync;
  readonly #these: StatementSync;
  readonly #due: StatementSync;
  readonly #dueAfter: StatementSync;
  readonly #take: StatementSync;
  readonly #giveUp: StatementSync;
  readonly #lastFinished: StatementSync;
  readonly #expired: StatementSync;
  readonly #descendants: StatementSync;

  constructor(database: DatabaseSync) {
    this.#nextOwner = database.prepare(NEXT_OWNER);
    this.#ownedBy = database.prepare(OWNED_BY);
    this.#nestedIn = database.prepare(NESTED_IN);
    this.#these = database.prepare(THESE);
    this.#due = database.prepare(DUE);
    this.#dueAfter = database.prepare(DUE_AFTER);
    this.#take = database.prepare("UPDATE taskflows SET owner = ?, fence = fence + 1 WHERE number = ?");
    this.#giveUp = database.prepare(`UPDATE taskflows SET owner = NULL WHERE taskflow_id = ? AND owner = ? AND ${UNFINISHED}`);
    this.#lastFinished = database.prepare(LAST_FINISHED);
    this.#expired = database.prepare(EXPIRED);
    this.#descendants = database.prepare("SELECT taskflow_id AS taskflowId FROM taskflows WHERE root_id = ?");
  }

  /** @param isDead whether an owner's rows may be claimed */
  claim(owner: string, isDead: (owner: string) => boolean, limit: number, maxFormat: number): Claimed[] {
    return this.candidates(isDead, limit, maxFormat).map(({ number, taskflowId, fence, dueAt }) => {
      this.take(owner, number);
      return { taskflowId, fence: fence + 1, dueAt };
    });
  }

  /** The rows of a claim: the soonest due, and the rest of their trees. */
  candidates(isDead: (owner: string) => boolean, limit: number, maxFormat: number): Found[] {
    const dead = this.#deadOwners(isDead);
    const found = dead.flatMap(
      (one) => this.#ownedBy.all(one, maxFormat, limit) as unknown as (Found & { rootId: string | null })[],
    );
    found.sort((a, b) => a.dueAt - b.dueAt || a.number - b.number);
    const chosen = found.slice(0, limit);
    const roots = chosen.flatMap(({ rootId }) => rootId ?? []);
    const trees = JSON.stringify([...new Set([...roots, ...chosen.map(({ taskflowId }) => taskflowId)])]);
    const all = new Map<number, Found>(chosen.map((one) => [one.number, one]));
    const rest = this.#nestedIn.all(trees, maxFormat);
    if (roots.length > 0) rest.push(...this.#these.all(JSON.stringify(roots), maxFormat));
    for (const one of rest as unknown as (Found & { owner: string | null })[]) {
      if (!all.has(one.number) && dead.includes(one.owner)) all.set(one.number, one);
    }
    return [...all.values()];
  }

  /** By its number in the store. */
  take(owner: string, number: number): void {
    this.#take.get(owner, number);
  }

  due(owner: string, until: number, limit: number, after: DuePlace | undefined): Claimed[] {
    const rows =
      after === undefined
        ? this.#due.all(owner, until, limit)
        : this.#dueAfter.all(owner, until, after.dueAt, after.taskflowId, limit);
    return rows.map((row) => ({ ...(row as unknown as Claimed) }));
  }

  release(owner: string, taskflowIds: readonly string[]): void {
    for (const taskflowId of taskflowIds) this.#giveUp.get(taskflowId, owner);
  }

  lastFinished(owner: string | null, limit: number): string[] {
    return idsOf(this.#lastFinished.all(limit, owner, owner));
  }

  /** The taskflows that may be removed, nested ones before their root. */
  expired(before: number, limit: number): string[] {
    return idsOf(this.#expired.all(before, limit)).flatMap((root) => [...idsOf(this.#descendants.all(root)), root]);
  }

  /**
   * Dead owners of unfinished taskflows, null (no owner) first. One step in the index each, however
   * many taskflows they own.
   */
  #deadOwners(isDead: (owner: string) => boolean): (string | null)[] {
    const owners: (string | null)[] = [null];
    let next = this.#nextOwner.get("") as { owner: string } | undefined;
    while (next !== undefined) {
      if (isDead(next.owner)) owners.push(next.owner);
      next = this.#nextOwner.get(next.owner) as { owner: string } | undefined;
    }
    return owners;
  }
}

function idsOf(rows: readonly unknown[]): string[] {
  return (rows as { taskflowId: string }[]).map(({ taskflowId }) => taskflowId);
}
