/** Past events, rebuilt from the journal for subscribers that missed them. */
import { apply, isEvent } from "../journal/apply.ts";
import { build } from "../journal/build.ts";
import { creationIn, isSnapshot } from "../journal/journal.ts";
import { describe, EventText, EventWriter, ownPiece, sharedPiece, SNAPSHOT } from "./events.ts";
import type { Created, Entry, Fact } from "../journal/facts.ts";
import { type Flow, taskAt } from "../model/flow.ts";

export interface EventPage {
  /** Events with `seq` > `since`, in order. */
  readonly events: EventText[];
  /** `seq` of the latest event that the journal holds. */
  readonly lastSeq: number;
}

/** The snapshot that a journal begins with: events up to `seq` are no longer told apart. */
interface Snapshot {
  readonly seq: number;
  readonly at: number;
}

/**
 * A journal as it is read, entry by entry: the state that it leaves, and where its events are, so
 * that a page of them costs no replay.
 */
export class History {
  readonly #created: Created;
  #flow: Flow;
  readonly #entryAt: (index: number) => Entry;
  /** `seq` that each entry leaves. */
  readonly #ends: number[] = [];
  /** The attempt of its task at each event, from the snapshot on. */
  #attempts: number[] = [];
  #snapshot: Snapshot | undefined;

  /**
   * @param first entry 1, which is not yet added
   * @param entryAt gives an entry that was added, by its index
   */
  constructor(first: Entry | undefined, entryAt: (index: number) => Entry) {
    this.#created = creationIn(first);
    this.#flow = build(this.#created, first?.at ?? 0);
    this.#entryAt = entryAt;
  }

  /** The taskflow as the entries leave it. */
  get flow(): Flow {
    return this.#flow;
  }

  /** The number of entries added. */
  get length(): number {
    return this.#ends.length;
  }

  add(entry: Entry): void {
    // What the first entry left is in the snapshot too.
    if (isSnapshot(entry)) this.#flow = build(this.#created, this.#flow.createdAt);
    const flow = this.#flow;
    const { at, facts } = entry;
    for (const fact of facts) {
      if (fact.kind !== "created") apply(flow, fact, at);
      if (isEvent(fact)) this.#attempts.push("task" in fact ? (taskAt(flow, fact.task)?.attempt ?? 0) : 0);
    }
    if (isSnapshot(entry)) {
      this.#snapshot = { seq: flow.seq, at };
      this.#attempts = [];
      this.#ends.fill(flow.seq);
    }
    this.#ends.push(flow.seq);
  }

  /**
   * Ids, statuses, times and errors are those of the change. A task's response is included unless a
   * later attempt replaced it. The tree is the taskflow as it is now.
   *
   * @param limit maximum number of events
   * @param now the taskflow as it is, if that is not the state that the entries leave
   */
  page(since: number, limit: number, eventTreeLimit: number, now: Flow = this.#flow): EventPage {
    const { taskflowId } = now;
    const events: EventText[] = [];
    const shared = sharedPiece(new EventWriter(now, eventTreeLimit).tree());
    const { seq: base, at: takenAt } = this.#snapshot ?? { seq: 0, at: 0 };
    if (since < base) {
      events.push(new EventText(taskflowId, base, SNAPSHOT, ownPiece(SNAPSHOT, now, base, takenAt), shared));
    }
    const from = Math.max(since, base);
    let index = this.#firstBehind(from);
    let seq = index === 0 ? 0 : (this.#ends[index - 1] ?? 0);
    for (; index < this.#ends.length && events.length < limit; index++) {
      const { at, facts } = this.#entryAt(index);
      for (const fact of facts) {
        if (!isEvent(fact)) continue;
        seq++;
        if (seq <= from || events.length >= limit) continue;
        const attempt = this.#attempts[seq - base - 1] ?? 0;
        const subject = describe(now, withoutReplaced(now, fact, attempt), attempt);
        if (!subject) throw new Error(`A fact of kind ${fact.kind} is no event.`);
        events.push(new EventText(taskflowId, seq, subject, ownPiece(subject, now, seq, at), shared));
      }
    }
    return { events, lastSeq: this.#ends.at(-1) ?? 0 };
  }

  /** Index of the first entry with an event after `seq`. */
  #firstBehind(seq: number): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] ?? 0) > seq) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/**
 * Events of a journal at hand. @param flow the taskflow in the state that the whole journal
 * leaves
 */
export function historyOf(
  entries: readonly Entry[],
  flow: Flow,
  since: number,
  limit: number,
  eventTreeLimit: number,
): EventPage {
  const history = new History(entries[0], (index) => entries[index] as Entry);
  for (const entry of entries) history.add(entry);
  return history.page(since, limit, eventTreeLimit, flow);
}

/** Drops a response that a later attempt replaced. */
function withoutReplaced(now: Flow, fact: Fact, attempt: number): Fact {
  if ((fact.kind !== "settled" && fact.kind !== "delayed") || fact.response === undefined) return fact;
  if (attempt === taskAt(now, fact.task)?.attempt) return fact;
  const { response: _, ...rest } = fact;
  return rest;
}
