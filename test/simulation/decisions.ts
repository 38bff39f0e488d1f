/** What the journal of one taskflow tells of people's decisions. */
import type { Fact } from "../../lib/core/journal/facts.ts";
import type { FlowRecord } from "./record.ts";

export class Decisions {
  /**
   * Somebody decided, or has to: its course no longer follows from its definition and its
   * handlers alone.
   */
  haveAny = false;
  /** Answers by the ids of the orders. */
  readonly answers = new Map<string, string>();
  /** Revisions by the numbers of the orders to annotate. */
  readonly annotated = new Map<unknown, number>();
  /** The tasks that each manual run was begun for, by its number. */
  readonly chosen = new Map<number, Set<number>>();
  wasCancelled = false;
  readonly #record: FlowRecord;

  constructor(record: FlowRecord) {
    this.#record = record;
  }

  /** A fact that has been applied. */
  take(fact: Fact): void {
    const { flow, world, taskflowId, texts } = this.#record;
    this.haveAny ||= isDecision(fact);
    switch (fact.kind) {
      case "command-handled":
        if (this.answers.has(fact.id)) world.report(38, `${taskflowId}: the order ${fact.id} is carried out a second time`);
        this.answers.set(fact.id, JSON.stringify(fact.answer));
        return;
      case "annotated":
        // Known: without an id, one whose commit lands late may have been decided anew meanwhile.
        // With an id "commanded" tells.
        if (this.annotated.has(fact.value) && world.faults["commit lands late"] === 0)
          world.report(38, `${taskflowId}: annotation ${String(fact.value)} is stored twice`);
        if (!this.annotated.has(fact.value)) this.annotated.set(fact.value, texts.length);
        return;
      case "flow":
        this.wasCancelled ||= fact.status === "CANCELLED";
        if (fact.run) this.chosen.set(flow.retryAttempt, new Set());
        return;
      case "reset":
      case "selected":
        if (!("follows" in fact)) this.chosen.get(flow.retryAttempt)?.add(fact.task);
        return;
      default:
    }
  }
}

function isDecision(fact: Fact): boolean {
  switch (fact.kind) {
    case "paused":
    case "reset":
    case "selected":
    case "updated":
      return true;
    case "flow":
      return fact.run === true || fact.status === "PAUSED" || fact.status === "CANCELLED";
    case "settled":
      return fact.reason !== undefined || fact.awaits === true || fact.status === "CANCELLED";
    default:
      return false;
  }
}
