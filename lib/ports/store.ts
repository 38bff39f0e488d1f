/**
 * The store's port: the engine's requirements on a database.
 *
 * A taskflow is stored as two things:
 *
 * - its **journal**: entries numbered 1, 2, 3 … (the taskflow's `revision`), each the facts of one
 *   commit as JSON text. Entry 1 contains the definition. The journal is the truth: replaying it
 *   gives the taskflow and the history of its events. A **snapshot** may replace the entries from 2
 *   to a number before the last.
 * - its **row**, a projection for queries, owners and due times, written together with the journal.
 *
 * So a change costs one small insert, whatever the size of the taskflow.
 *
 * Invariants:
 *
 * 1. An entry never changes.
 * 2. The number of an entry is unique within its taskflow. This guards every write: an append at a
 *    number that is taken comes from an outdated state, and changes nothing.
 * 3. No write depends on another taskflow's row.
 */
import type { TaskflowStatus } from "../core/model/values.ts";

/** An annotation in searchable form: equal values are equal texts. */
export interface RowAnnotation {
  type: string;
  value: string;
}

/** The projection of a taskflow. Times are epoch milliseconds of the store's clock. */
export interface TaskflowRow {
  taskflowId: string;
  name: string | null;
  status: TaskflowStatus;
  /** The coordinator that drives it, or drove it to its end. */
  owner: string | null;
  /** Counts its owners: 1 for the one that stored it; each takeover adds one. */
  fence: number;
  /**
   * When it next needs its owner: 0 is "now" (load it at once); a later time, or `NEVER`
   * (`core/views/due.ts`), lets the owner leave it on disk until then. May be too early, never too
   * late.
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
  /** Format of the journal; a coordinator does not touch formats that it does not know. */
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
 * One taskflow's unit of work in a group commit. If the store cannot write entry and row
 * atomically, a crash may leave the entry without the change of the row, never the other way round:
 * the row then still says "unfinished", `claim` and `due` return the taskflow, and the coordinator
 * that finds its journal finished corrects the row (`repair`).
 */
export type Write =
  | { readonly kind: "create"; readonly row: TaskflowRow; readonly entry: string }
  | {
      readonly kind: "append";
      readonly taskflowId: string;
      readonly revision: number;
      readonly entry: string;
      readonly row?: RowChange;
      /**
       * The first entry of a new owner. Its number stays taken after a compaction: whatever the
       * former owner was about to append meets it.
       */
      readonly isTakeover?: true;
    };

/**
 * - `stored`: durable.
 * - `conflict`: nothing changed. For `create`, a taskflow with this id exists. For `append`, the
 *   revision is taken, the taskflow is gone, or it would become due earlier while its row already
 *   belongs to another owner, which would not notice.
 */
export type WriteResult = "stored" | "conflict";

export interface StoredTaskflow {
  row: TaskflowRow;
  /** Names the journal: another taskflow of the same id has another one. */
  journal: string;
  /** Entry 1, then the texts of its snapshot, if it was compacted, then the entries behind that. */
  entries: string[];
  /** Number of the last entry. */
  revision: number;
}

/** A taskflow that may be damaged. */
export interface RawTaskflow {
  row: TaskflowRow;
  /** As those of `StoredTaskflow`; null for one that is missing. */
  entries: (string | null)[];
  revision: number;
}

export interface Claimed {
  taskflowId: string;
  /** The new fence. */
  fence: number;
  dueAt: number;
}

/** A position in the order of `due`: by due time, then by id. */
export interface DuePlace {
  readonly dueAt: number;
  readonly taskflowId: string;
}

/** Filters of `list`; all given ones must match. `status` and `errorType`: any of the values. */
export interface TaskflowQuery {
  status?: readonly TaskflowStatus[];
  name?: string;
  tenant?: string;
  template?: string;
  /** Has all of these tags. */
  tags?: readonly string[];
  attributes?: Readonly<Record<string, string | number | boolean>>;
  /** Has at least one such annotation. */
  annotations?: Partial<RowAnnotation> & Pick<RowAnnotation, "type">;
  parentTaskflowId?: string;
  createdAfter?: number;
  createdBefore?: number;
  errorType?: readonly string[];
  /** Part of the name, the id, a tag or an attribute's value, ignoring case. */
  text?: string;
  sort?: "createdAt" | "-createdAt";
  /** 1–1,000. */
  pageSize: number;
  /** `nextCursor` of the previous page; opaque. An invalid one throws a RangeError. */
  cursor?: string;
}

export interface TaskflowPage {
  rows: TaskflowRow[];
  nextCursor?: string;
  /** Numbers by status, over all matches of all pages. */
  counts: Partial<Record<TaskflowStatus, number>>;
}

/**
 * A coordinator that uses, or used, this store. It lives while its `renewals` keep changing, by the
 * watcher's own clock.
 */
export interface KnownOwner {
  owner: string;
  renewals: number;
}

/** Tasks whose target matches the pattern are not sent. */
export interface PauseRule {
  /** `payment.*`; `**` is every action. */
  readonly pattern: string;
  readonly reason: string | null;
  readonly since: number;
  /** The coordinator to which the rule applies; null: all. */
  readonly coordinator: string | null;
}

export interface StoreHealth {
  ok: boolean;
  kind: string;
  error?: string;
}

export interface Store {
  /**
   * Name in messages and in `health`, such as `sqlite:./data/taskflow.db`. Never contains a secret.
   */
  readonly name: string;

  /**
   * Opens or creates the store. If it cannot be used (another process has it open, a newer format,
   * no permission), rejects with a message that says what to do.
   */
  open(): Promise<void>;

  /** Waits for pending operations, then releases the database. Idempotent. */
  close(): Promise<void>;

  /**
   * Group commit: durable when it returns or resolves; one result per write, in order. Writes of
   * different taskflows are independent; a batch has at most one write of each taskflow. A store
   * that commits in the caller's thread returns the results, any other a promise. Throws (or
   * rejects with) `STORE_UNAVAILABLE` if the outcome of all writes is unknown: the caller then
   * reads them back before it continues.
   */
  commit(writes: readonly Write[]): WriteResult[] | Promise<WriteResult[]>;

  /**
   * Stores a taskflow with its whole journal, atomically; `conflict`: a taskflow with this id
   * exists. For copies, not for speed.
   */
  insert(row: TaskflowRow, entries: readonly string[]): Promise<WriteResult>;

  /** Rejects with a RangeError if the journal is damaged. */
  read(taskflowId: string): Promise<StoredTaskflow | undefined>;

  /**
   * The entries after `revision` of that journal, with its row. Undefined: it has to be read as a
   * whole, because it is gone, or was compacted beyond that number.
   */
  readOn(taskflowId: string, journal: string, revision: number): Promise<StoredTaskflow | undefined>;

  /**
   * Replaces the entries from 2 to `revision` by a snapshot of them. Its texts are stored first,
   * then one write makes them valid, then the entries go: wherever that is cut short, `read`
   * finds the old or the new, and what is left over goes with the next compaction, or with the
   * taskflow. Anybody may do so at any time, since entries never change. `conflict`: another
   * journal, one that was compacted as far, or the number is not before the last; nothing
   * changed.
   */
  compact(taskflowId: string, journal: string, revision: number, texts: readonly string[]): Promise<WriteResult>;

  /**
   * The taskflows that exist, in any order, at little more than the cost of one. Rejects with a
   * RangeError if any is damaged; `read` shows which.
   */
  readMany(taskflowIds: readonly string[]): Promise<StoredTaskflow[]>;

  /**
   * The same for a copy of a damaged taskflow: its entries as they are stored, null for one that is
   * missing. Never rejects with a RangeError.
   */
  readRaw(taskflowId: string): Promise<RawTaskflow | undefined>;

  /**
   * Takes over up to `limit` unfinished taskflows without a living owner, oldest due first: sets
   * owner and fence of their rows. Leaves formats above `maxFormat` alone. Beyond the limit it also
   * takes the other such taskflows of their trees (`rootId`): a whole tree goes to the caller that
   * gets its root.
   *
   * An owner does not live if there is none, or if it is not in `alive` and either has no lease or
   * has the same `renewals` as in `dead`. The caller's view may be arbitrarily old: an owner that
   * has renewed its lease since keeps its taskflows.
   *
   * Each row is taken atomically: by one caller only, only if it is unchanged since it was read,
   * and after checking its owner's lease later than that read. An owner that renews in between may
   * still lose the row, until it has made sure of it (`confirmOwnership`).
   */
  claim(
    owner: string,
    alive: readonly string[],
    dead: readonly KnownOwner[],
    limit: number,
    maxFormat: number,
  ): Promise<Claimed[]>;

  /**
   * Makes sure of an owner's taskflows after it was silent for longer than its lease and has just
   * renewed it: once this resolves, no claim decided before that renewal takes anything from it,
   * and the rows show what was taken until then. If it rejects, that is unknown.
   */
  confirmOwnership(owner: string): Promise<void>;

  /**
   * Unfinished taskflows of an owner with `dueAt` ≤ `until`, soonest first, after a position. These
   * are parked ones, the ones in the owner's memory, and those of a `claim` whose answer was lost.
   */
  due(owner: string, until: number, limit: number, after?: DuePlace): Promise<Claimed[]>;

  /**
   * Reopens a finished taskflow that still has this fence: its row becomes RUNNING, with this
   * owner, the next fence and no `finishedAt`; its journal is unchanged. False: it is unfinished,
   * gone, or has another fence; nothing changed. Durable when it resolves; if it rejects, the
   * outcome is unknown.
   */
  reopen(taskflowId: string, owner: string, fence: number): Promise<boolean>;

  /**
   * Corrects fields of a row that contradict its journal (see `Write`), if the taskflow exists and
   * still has this fence; otherwise changes nothing. Durable when it resolves.
   */
  repair(taskflowId: string, fence: number, change: RowChange): Promise<void>;

  /**
   * Releases unfinished taskflows of this owner: they have no owner, and any `claim` may take them.
   * Taskflows that another owner has taken since are left alone.
   */
  release(owner: string, taskflowIds: readonly string[]): Promise<void>;

  /**
   * Up to `limit` taskflows of this owner (null: of any) that finished last: a coordinator that
   * died may have stored their ends without announcing them. Must include those of its last commit.
   */
  lastFinished(owner: string | null, limit: number): Promise<string[]>;

  /**
   * Renews the coordinator's lease: sets `renewals` to a number that it has never had, not even in
   * an earlier incarnation. Returns all known coordinators, this one included.
   */
  renewLease(owner: string): Promise<readonly KnownOwner[]>;

  /** Forgets a coordinator that leaves for good. The others forget one that died after a day. */
  leave(owner: string): Promise<void>;

  /**
   * Milliseconds by which the store's clock is ahead of this machine's, corrected by half the round
   * trip.
   */
  timeOffset(): Promise<number>;

  list(query: TaskflowQuery): Promise<TaskflowPage>;

  /** The rules of all coordinators, oldest first. */
  pauseRules(): Promise<PauseRule[]>;

  /**
   * Stores a rule, replacing one with the same pattern and coordinator. Durable when it resolves.
   */
  addPauseRule(rule: PauseRule): Promise<void>;

  /**
   * Removes all rules with this pattern, or only those of `coordinator` if given. Returns their
   * number.
   */
  removePauseRules(pattern: string, coordinator?: string): Promise<number>;

  /**
   * Removes a finished taskflow with its journal. `missing`: it does not exist; `active`: it is
   * unfinished and was not changed.
   * @param isForced removes an unfinished one too
   */
  delete(taskflowId: string, isForced?: boolean): Promise<"deleted" | "missing" | "active">;

  /**
   * Removes up to `limit` taskflows that finished before that time, oldest first, each with its
   * nested taskflows. Returns how many were removed in all. Nested taskflows are removed with their
   * root only, and a root only when its whole tree is finished. Coordinators may do so
   * concurrently.
   */
  expire(before: number, limit: number): Promise<number>;

  /** A cheap round trip. Never rejects. */
  health(): Promise<StoreHealth>;
}
