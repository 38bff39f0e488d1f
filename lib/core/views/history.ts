/** Past events, rebuilt from the journal for subscribers that missed them. */
import { apply, isEvent } from "../journal/apply.ts";
import { build } from "../journal/build.ts";
import { describe, EventText, EventWriter, ownPiece, sharedPiece } from "./events.ts";
import type { Entry, Fact } from "../journal/facts.ts";
import { type Flow, taskAt } from "../model/flow.ts";

export interface History {
  /** Events with `seq` > `since`, in order. */
  readonly events: EventText[];
  /** `seq` of the latest event that the journal holds. */
  readonly lastSeq: number;
}

/**
 * Ids, statuses, times and errors are those of the change. A task's response is included unless a
 * later attempt replaced it. The tree is the taskflow as it is now.
 *
 * @param flow the taskflow in the state that the whole journal leaves
 * @param limit maximum number of events
 */
export function historyOf(entries: readonly Entry[], flow: Flow, since: number, limit: number, eventTreeLimit: number): History {
  const first = entries[0]?.facts[0];
  if (first?.kind !== "created") return { events: [], lastSeq: 0 };
  const then = build(first, entries[0]?.at ?? 0);
  const shared = sharedPiece(new EventWriter(flow, eventTreeLimit).tree());
  const events: EventText[] = [];
  let seq = 0;
  for (const { at, facts } of entries) {
    for (const fact of facts) {
      if (fact.kind !== "created") apply(then, fact, at);
      if (!isEvent(fact)) continue;
      seq++;
      if (seq > since && events.length < limit) events.push(eventText(then, flow, fact, seq, at, shared));
    }
  }
  return { events, lastSeq: seq };
}

function eventText(then: Flow, now: Flow, fact: Fact, seq: number, at: number, shared: string): EventText {
  const subject = describe(then, withoutReplaced(then, now, fact));
  if (!subject) throw new Error(`A fact of kind ${fact.kind} is no event.`);
  const { taskflowId } = now;
  return new EventText(taskflowId, seq, subject, ownPiece(subject, now, seq, at), shared);
}

/** Drops a response that a later attempt replaced. */
function withoutReplaced(then: Flow, now: Flow, fact: Fact): Fact {
  if ((fact.kind !== "settled" && fact.kind !== "delayed") || fact.response === undefined) return fact;
  if (taskAt(then, fact.task)?.attempt === taskAt(now, fact.task)?.attempt) return fact;
  const { response: _, ...rest } = fact;
  return rest;
}
