/**
 * The store's port: what the engine asks of a database, and what a database owes it.
 *
 * A taskflow is stored as two things:
 *
 * - its **journal**: entries numbered 1, 2, 3 … (the taskflow's `revision`), each the facts of one commit as JSON text.
 *   Entry 1 holds the definition. The journal is the truth: replaying it gives the taskflow, and the history of its events.
 *   An entry is never changed. The number of an entry is unique within its taskflow, and that is the guard of every write:
 *   who appends at a number that is taken has an outdated picture and changes nothing.
 * - its **row**: what queries, owners and due times need. It follows from the journal and is written with it.
 *
 * So a change costs one small insert whatever the size of the taskflow, and no write ever depends on another row.
 */
import type { TaskflowStatus } from "../core/model/values.ts";

/** An annotation as it can be found: its value in a form in which equal ones are the same text. */
export interface RowAnnotation {
  type: string;
  value: string;
}

/** The queryable face of a taskflow. Times are epoch milliseconds of the store's clock. */
export interface TaskflowRow {
  taskflowId: string;
  name: string | null;
  status: TaskflowStatus;
  /** The coordinator that drives it, or drove it to its end. */
  owner: string | null;
  /** Counts the owners: 1 for the one that stored it, one more with each takeover. */
  fence: number;
  /**
   * When it next needs its owner: 0 is "now" (load it at once); a later time, or `NEVER` (`core/due.ts`), lets the owner leave it on disk until then.
   * Never later than true.
   */
  dueAt: number;
  /** Root of its tree of nested taskflows; its own id for a root. */
  rootId: string;
  parentTaskflowId: string | null;
  tenant: string | null;
  template: string | null;
  tags: readonly string[];
  attributes: Readonly<Record<string, string | number | boolean>>;
  annotations: readonly RowAnnotation[];
  /** `type` of the taskflow's error, or of the first task that failed for good. */
  errorType: string | null;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  retryAttempt: number;
  progress: number;
  /** Format of the journal; a coordinator leaves formats that it does not know alone. */
  format: number;
}

/** The fields of a row that a later commit may change. */
export type RowChange = Partial<
  Pick<
    TaskflowRow,
    "status" | "owner" | "dueAt" | "annotations" | "errorType" | "startedAt" | "finishedAt" | "retryAttempt" | "progress"
  >
>;

/**
 * One taskflow's part of a group commit. No row's change outlives a crash without its entry, but an entry may outlive one without its row's
 * change, where the store cannot write both at once: then the row still says "unfinished" (never the other way round), `claim` and `due`
 * hand the taskflow out, and who finds its journal finished writes the row again (`repair`).
 */
export type Write =
  | { readonly kind: "create"; readonly row: TaskflowRow; readonly entry: string }
  | {
      readonly kind: "append";
      readonly taskflowId: string;
      readonly revision: number;
      readonly entry: string;
      readonly row?: RowChange;
    };

/**
 * - `stored`: durable.
 * - `conflict`: for `create`, a taskflow of this id exists; for `append`, the revision is taken, or the taskflow is gone; or it would be due earlier and its
 *   row is another owner's by now, who would not know. Nothing changed.
 */
export type WriteResult = "stored" | "conflict";

export interface StoredTaskflow {
  row: TaskflowRow;
  /** Entries 1..revision in order. */
  entries: string[];
}

export interface Claimed {
  taskflowId: string;
  /** The new fence. */
  fence: number;
  dueAt: number;
}

/** A place in the order of `due`: after everything that is due earlier, or at the same time and in front of this taskflow. */
export interface DuePlace {
  readonly dueAt: number;
  readonly taskflowId: string;
}

/** Filters of `list`; all that are given must hold. `status` and `errorType`: any of. */
export interface TaskflowQuery {
  status?: readonly TaskflowStatus[];
  name?: string;
  tenant?: string;
  template?: string;
  /** All of them. */
  tags?: readonly string[];
  attributes?: Readonly<Record<string, string | number | boolean>>;
  /** With at least one such annotation. */
  annotations?: Partial<RowAnnotation> & Pick<RowAnnotation, "type">;
  parentTaskflowId?: string;
  createdAfter?: number;
  createdBefore?: number;
  errorType?: readonly string[];
  /** Case-insensitive part of the name, the id, a tag or an attribute's value. */
  text?: string;
  sort?: "createdAt" | "-createdAt";
  /** 1–1,000. */
  pageSize: number;
  /** `nextCursor` of the page before; opaque. An invalid one throws a RangeError. */
  cursor?: string;
}

export interface TaskflowPage {
  rows: TaskflowRow[];
  nextCursor?: string;
  /** By status over all matches, whatever the page. */
  counts: Partial<Record<TaskflowStatus, number>>;
}

/** A coordinator that is, or was, at work on this store. Whether it lives shows in its `beat` becoming another number, by the watcher's own clock. */
export interface KnownOwner {
  owner: string;
  renewals: number;
}

/** Tasks that call an action of this pattern are not sent. */
export interface PauseRule {
  /** `payment.*`; `**` is every action. */
  readonly pattern: string;
  readonly reason: string | null;
  readonly since: number;
  /** The coordinator that it holds for; null: all of them. */
  readonly coordinator: string | null;
}

export interface StoreHealth {
  ok: boolean;
  kind: string;
  error?: string;
}

export interface Store {
  /** What to call it in messages and in `health`, such as `sqlite:./data/taskflow.db`. Never a secret. */
  readonly name: string;

  /** Opens or creates it. Rejects with a sentence that says what to do if it cannot be used: another process holds it, a newer format, no permission. */
  open(): Promise<void>;

  /** Waits for what is under way, then lets go. Idempotent. */
  close(): Promise<void>;

  /**
   * Group commit: durable when it returns or resolves, one result a write, in order. Writes of several taskflows do not depend on one another;
   * at most one write of a taskflow is in a batch. A store that commits in the caller's thread returns the results, any other a promise.
   * Throws (or rejects with) `STORE_UNAVAILABLE` when nothing can be said of any of them: the caller reads back before it goes on.
   */
  commit(writes: readonly Write[]): WriteResult[] | Promise<WriteResult[]>;

  /** Stores a taskflow with all of its journal, or nothing of it; `conflict`: there is one of this id. For copies, not for speed. */
  insert(row: TaskflowRow, entries: readonly string[]): Promise<WriteResult>;

  /** Rejects with a RangeError if its journal is damaged. */
  read(taskflowId: string): Promise<StoredTaskflow | undefined>;

  /** Those of them that there are, in any order, for little more than one of them costs. Rejects with a RangeError if any is damaged; `read` tells which. */
  readMany(taskflowIds: readonly string[]): Promise<StoredTaskflow[]>;

  /**
   * Takes up to `limit` unfinished taskflows that nobody drives, oldest due first: sets owner and fence of their rows, leaving alone formats above
   * `maxFormat`. Behind them comes, beyond the limit, what else their trees (`rootId`) have that nobody drives: a tree goes to one caller as a whole, to
   * whoever has its root.
   *
   * Nobody drives what has no owner, or one that is none of `alive` and has no beat, or still the beat with which `dead` names it. The caller's picture may
   * be as old as it likes: an owner that has beaten since keeps what it has.
   *
   * Atomic is the taking of each row: it is taken by one caller only, if it is as it was read, and its owner's beat was looked at after it was read. An
   * owner that beats in between may lose it still, until it has made sure of it (`confirmOwnership`).
   */
  claim(
    owner: string,
    alive: readonly string[],
    dead: readonly KnownOwner[],
    limit: number,
    maxFormat: number,
  ): Promise<Claimed[]>;

  /**
   * Makes sure of what an owner still has, who was silent for its lease and has just beaten again: once it has resolved, no claim that was decided before
   * that beat takes anything from it. What was taken until then its row shows. If it rejects, nobody knows.
   */
  confirmOwnership(owner: string): Promise<void>;

  /**
   * Unfinished taskflows of an owner with `dueAt` ≤ `until`, soonest first, from a place on. Beside those that were parked these are the ones in the
   * owner's memory, and any that a `claim` took for it whose answer was lost.
   */
  due(owner: string, until: number, limit: number, after?: DuePlace): Promise<Claimed[]>;

  /**
   * Takes a finished taskflow that still has this fence: its row is RUNNING again, with this owner, the next fence and no `finishedAt`; its journal stays as it
   * is. False: it is unfinished, gone, or has another fence; nothing changed. Durable when it resolves; if it rejects, nobody knows.
   */
  reopen(taskflowId: string, owner: string, fence: number): Promise<boolean>;

  /**
   * Writes fields of a row whose journal says otherwise (see `Write`), if the taskflow still has this fence; else, or if there is none,
   * nothing. Durable when it resolves.
   */
  repair(taskflowId: string, fence: number, change: RowChange): Promise<void>;

  /** Gives up taskflows of this owner, unfinished: they are nobody's, for any `claim` to take. Those that are another's by now are left alone. */
  release(owner: string, taskflowIds: readonly string[]): Promise<void>;

  /**
   * Up to `limit` taskflows that finished last, of this owner (null: whoever's): a coordinator that died may have stored their end and not
   * announced it. What finished within its last commit must be among them.
   */
  lastFinished(owner: string | null, limit: number): Promise<string[]>;

  /** A sign of life: gives this coordinator another beat than any before, those of earlier lives too, and answers all coordinators that are known, this one included. */
  renewLease(owner: string): Promise<readonly KnownOwner[]>;

  /** Forgets a coordinator that leaves for good. One that died is forgotten a day later by those that go on. */
  leave(owner: string): Promise<void>;

  /** Milliseconds by which the store's clock is ahead of this machine's, half the way to it taken off. Stored times are the store's. */
  timeOffset(): Promise<number>;

  list(query: TaskflowQuery): Promise<TaskflowPage>;

  /** The rules of all coordinators, oldest first. */
  pauseRules(): Promise<PauseRule[]>;

  /** Stores a rule in place of one with the same pattern and coordinator. Durable when it resolves. */
  addPauseRule(rule: PauseRule): Promise<void>;

  /** Removes the rules with this pattern: those for all and for each coordinator, or with `coordinator` that one's alone. Answers how many there were. */
  removePauseRules(pattern: string, coordinator?: string): Promise<number>;

  /** Removes a finished taskflow with its journal. `missing`: none of this id; `active`: not finished, left alone. */
  delete(taskflowId: string): Promise<"deleted" | "missing" | "active">;

  /**
   * Removes up to `limit` taskflows that finished before that time, oldest first, each with all that is nested in it, and answers how many were removed in
   * all. What is nested goes with its root only, and a root not before everything in it is finished. Any number of coordinators may do so at once.
   */
  expire(before: number, limit: number): Promise<number>;

  /** A cheap round trip. Never rejects. */
  health(): Promise<StoreHealth>;
}
