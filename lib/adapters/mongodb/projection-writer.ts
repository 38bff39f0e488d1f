/**
 * Writes row changes. A change is written after its entry is durable, outside the commit: no caller
 * waits for it, and changes within a tenth of a second go out together. Until then only this
 * process knows it; `flush` is called before anything reads rows.
 *
 * A change names its fence and the revision of its entry. A row with another fence or a later
 * change is left alone: so a replaced coordinator changes nothing, and a repeated or late write
 * does no harm.
 */
import type { AnyBulkWriteOperation, Collection, UpdateFilter } from "mongodb";
import { isFinished } from "../../core/model/flow.ts";
import type { RowChange } from "../../ports/store.ts";
import type { MongoLink } from "./client.ts";
import { TASKFLOWS, toFields, type RowDocument } from "./schema.ts";

export interface RowUpdate {
  readonly taskflowId: string;
  readonly fence: number;
  /** Of the entry that it belongs to. */
  readonly revision: number;
  readonly change: RowChange;
}

/** How long a change may wait for more. */
const DELAY_MS = 100;
const MANY = 1_000;
/** Pause before a failed flush is tried again, unless it is requested earlier. */
const RETRY_MS = 1_000;

export class ProjectionWriter {
  readonly #link: MongoLink;
  #pending = new Map<string, RowUpdate>();
  /** The changes being written. */
  #sending: ReadonlyMap<string, RowUpdate> = new Map();
  #flushing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(link: MongoLink) {
    this.#link = link;
  }

  /** Whether a change of this row may not be stored yet. */
  has(taskflowId: string): boolean {
    return this.#pending.has(taskflowId) || this.#sending.has(taskflowId);
  }

  defer(update: RowUpdate): void {
    const { taskflowId, fence } = update;
    const former = this.#pending.get(taskflowId);
    const change = former?.fence === fence ? { ...former.change, ...update.change } : update.change;
    this.#pending.set(taskflowId, { ...update, change });
    if (this.#flushing !== undefined) return;
    if (this.#pending.size >= MANY) void this.#start();
    else this.#timer ??= setTimeout(() => void this.#start(), DELAY_MS);
  }

  /** Resolves when every change that was deferred so far is durable. */
  async flush(): Promise<void> {
    // Changes that came during one flush are in the next.
    while (this.#flushing !== undefined || this.#pending.size > 0) await (this.#flushing ?? this.#start());
  }

  /** Drops the timer and the unwritten changes. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#pending.clear();
  }

  /** At once, for rows without deferred changes. Returns their number. */
  async write(operations: AnyBulkWriteOperation<RowDocument>[]): Promise<number> {
    const { matchedCount } = await this.#link.persist(() => this.#rows.bulkWrite(operations, { ordered: false }));
    return matchedCount;
  }

  get #rows(): Collection<RowDocument> {
    return this.#link.collection<RowDocument>(TASKFLOWS);
  }

  #start(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const flushing = this.#send().finally(() => {
      this.#flushing = undefined;
      // A failed flush keeps its changes; a successful one may have let others wait.
      if (this.#pending.size > 0) this.#timer ??= setTimeout(() => void this.#start(), DELAY_MS);
    });
    // Callers that await it see the failure. There may be none.
    flushing.catch(() => undefined);
    this.#flushing = flushing;
    return flushing;
  }

  async #send(): Promise<void> {
    const sending = this.#pending;
    this.#pending = new Map();
    this.#sending = sending;
    try {
      await this.write(Array.from(sending.values(), toOperation));
    } catch (error) {
      for (const [taskflowId, update] of sending) {
        const later = this.#pending.get(taskflowId);
        if (later === undefined) this.#pending.set(taskflowId, update);
        else if (later.fence === update.fence) {
          this.#pending.set(taskflowId, { ...later, change: { ...update.change, ...later.change } });
        }
      }
      this.#timer ??= setTimeout(() => void this.#start(), RETRY_MS).unref();
      throw error;
    } finally {
      this.#sending = new Map();
    }
  }
}

function toOperation({ taskflowId, fence, revision, change }: RowUpdate): AnyBulkWriteOperation<RowDocument> {
  return {
    updateOne: { filter: { _id: taskflowId, fence, revision: { $lt: revision } }, update: toUpdate(change, revision) },
  };
}

/** With a revision, the row stores that it is as of that revision. */
export function toUpdate(change: RowChange, revision?: number): UpdateFilter<RowDocument> {
  const $set: Partial<RowDocument> = { ...toFields(change), ...(revision === undefined ? {} : { revision }) };
  if (change.status === undefined) return { $set };
  return isFinished(change.status) ? { $set, $unset: { open: "" } } : { $set: { ...$set, open: true } };
}
