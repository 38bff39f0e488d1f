/**
 * Journals as readers last saw them: a read costs what was stored since, and a page of events no
 * replay. Long journals are decoded in slices: the engine has its turns between.
 */
import type { Entry } from "../../core/journal/facts.ts";
import { decodeEntry } from "../../core/journal/journal.ts";
import { History } from "../../core/views/history.ts";
import type { Flow } from "../../core/model/flow.ts";
import { isTaskflowError, type TaskflowErrorLike, taskflowUnreadable } from "../../errors/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Store, StoredTaskflow, TaskflowRow } from "../../ports/store.ts";
import { asUnreadable, checkReadable, messageOf, readStored } from "../turn/rehydrate.ts";
import { BoundedMap } from "../../util/bounded-map.ts";
import { READ_BATCH } from "../turn/settings.ts";
import { Slices } from "../turn/slices.ts";

/** Characters of all kept journals; beyond it the one that was read longest ago goes. */
const MAX_LENGTH = 32 * 1024 * 1024;
/** Journals that are kept at most. */
const MAX_KEPT = 1_000;
/** Entries of a journal that are kept decoded: an entry may have the events of many pages. */
const MAX_DECODED = 4;
/** A journal that was not read for this long is dropped. */
const IDLE_MS = 30_000;

/** A taskflow as it is stored. It goes on with later reads, and must not be changed. */
export interface ReadTaskflow {
  readonly row: TaskflowRow;
  readonly flow: Flow;
  readonly history: History;
}

class ReadJournal implements ReadTaskflow {
  row: TaskflowRow;
  readonly journal: string;
  revision: number;
  /** Characters of its entries. */
  length = 0;
  readonly history: History;
  readonly #texts: string[] = [];
  readonly #decoded = new BoundedMap<number, Entry>(MAX_DECODED);
  /** By the monotonic clock. */
  readAt = 0;

  constructor({ row, journal, revision, entries }: StoredTaskflow) {
    this.row = row;
    this.journal = journal;
    this.revision = revision;
    const decode = (index: number): Entry => decodeEntry(this.#texts[index] ?? "");
    this.history = new History(decodeEntry(entries[0] ?? ""), (index) => this.#decoded.getOrMake(index, decode));
  }

  get flow(): Flow {
    return this.history.flow;
  }

  /** Takes the entries that follow. If one is damaged, the rest is not taken: read it anew. */
  async extend({ row, revision, entries }: StoredTaskflow, clock: Clock): Promise<void> {
    const slices = new Slices(clock);
    for (const text of entries) {
      const entry = decodeEntry(text);
      this.#texts.push(text);
      this.length += text.length;
      this.history.add(entry);
      if (slices.isOver) await slices.pause();
    }
    this.row = row;
    this.revision = this.flow.revision = revision;
  }
}

/** A read under way. It may miss the writes of callers that come meanwhile: they share the next. */
interface Read {
  readonly result: Promise<ReadJournal | undefined>;
  next?: Promise<ReadJournal | undefined>;
}

export class JournalCache {
  readonly #store: Store;
  readonly #clock: Clock;
  /** The one that was read longest ago first. */
  readonly #kept = new Map<string, ReadJournal>();
  readonly #reads = new Map<string, Read>();
  #length = 0;
  #cancelSweep: (() => void) | undefined;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * The taskflow as it is stored at the call or later; undefined if it does not exist.
   * @throws TASKFLOW_UNREADABLE, STORE_UNAVAILABLE
   */
  read(taskflowId: string): Promise<ReadTaskflow | undefined> {
    const underWay = this.#reads.get(taskflowId);
    if (!underWay) return this.#begin(taskflowId);
    const next = (): Promise<ReadJournal | undefined> => this.#begin(taskflowId);
    underWay.next ??= underWay.result.then(next, next);
    return underWay.next;
  }

  /** Several by id; an error for one that cannot be read. Those that do not exist are left out. */
  async readMany(taskflowIds: readonly string[]): Promise<Map<string, ReadTaskflow | TaskflowErrorLike>> {
    const found = new Map<string, ReadTaskflow | TaskflowErrorLike>();
    const unknown = taskflowIds.filter((taskflowId) => !this.#kept.has(taskflowId) && !this.#reads.has(taskflowId));
    for (let start = 0; start < unknown.length; start += READ_BATCH) {
      // One that is damaged keeps the others from being read together.
      const batch = await this.#store.readMany(unknown.slice(start, start + READ_BATCH)).catch(() => []);
      for (const stored of batch) {
        const { taskflowId } = stored.row;
        if (!this.#kept.has(taskflowId)) await this.#take(stored).catch(() => undefined);
      }
    }
    for (const taskflowId of taskflowIds) {
      try {
        const read = await this.read(taskflowId);
        if (read) found.set(taskflowId, read);
      } catch (error) {
        if (!isTaskflowError(error, "TASKFLOW_UNREADABLE")) throw error;
        found.set(taskflowId, error);
      }
    }
    return found;
  }

  stop(): void {
    this.#cancelSweep?.();
    this.#kept.clear();
    this.#length = 0;
  }

  #begin(taskflowId: string): Promise<ReadJournal | undefined> {
    const read: Read = { result: this.#read(taskflowId) };
    this.#reads.set(taskflowId, read);
    const end = (): void => {
      if (this.#reads.get(taskflowId) === read) this.#reads.delete(taskflowId);
    };
    read.result.then(end, end);
    return read.result;
  }

  async #read(taskflowId: string): Promise<ReadJournal | undefined> {
    const known = this.#kept.get(taskflowId);
    if (known) {
      this.#drop(taskflowId, known);
      const newer = await this.#store.readOn(taskflowId, known.journal, known.revision).catch((error: unknown) => {
        throw asUnreadable(taskflowId, error);
      });
      if (newer) return this.#extend(known, newer);
    }
    const stored = await readStored(this.#store, taskflowId);
    return stored && this.#take(stored);
  }

  async #take(stored: StoredTaskflow): Promise<ReadJournal> {
    checkReadable(stored.row);
    return this.#extend(undefined, stored);
  }

  async #extend(known: ReadJournal | undefined, newer: StoredTaskflow): Promise<ReadJournal> {
    try {
      const journal = known ?? new ReadJournal(newer);
      await journal.extend(newer, this.#clock);
      this.#keep(journal);
      return journal;
    } catch (error) {
      throw taskflowUnreadable(newer.row.taskflowId, messageOf(error));
    }
  }

  #keep(journal: ReadJournal): void {
    const { taskflowId } = journal.row;
    const former = this.#kept.get(taskflowId);
    if (former) this.#drop(taskflowId, former);
    journal.readAt = this.#clock.monotonic();
    this.#kept.set(taskflowId, journal);
    this.#length += journal.length;
    for (const [id, oldest] of this.#kept) {
      if (oldest === journal || (this.#length <= MAX_LENGTH && this.#kept.size <= MAX_KEPT)) break;
      this.#drop(id, oldest);
    }
    this.#cancelSweep ??= this.#clock.after(IDLE_MS, () => this.#sweep());
  }

  #drop(taskflowId: string, journal: ReadJournal): void {
    if (this.#kept.delete(taskflowId)) this.#length -= journal.length;
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    const idleSince = this.#clock.monotonic() - IDLE_MS;
    for (const [id, journal] of this.#kept) {
      if (journal.readAt > idleSince) break;
      this.#drop(id, journal);
    }
    if (this.#kept.size > 0) this.#cancelSweep = this.#clock.after(IDLE_MS, () => this.#sweep());
  }
}
