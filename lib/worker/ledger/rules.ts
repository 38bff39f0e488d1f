/**
 * The rules of all ledgers: how a record changes, and which reply it gives. Ledgers differ only in
 * where they keep records.
 */
import type { Asked, Begin, Begun, Finished } from "./ledger.ts";

export interface LedgerRecord {
  /** `doubted`: refused, but it may have begun before the ledger's memory. */
  readonly state: "running" | "done" | "refused" | "doubted";
  /**
   * Running, done: the delivery that began it. Refused, doubted: the highest one that must not
   * begin.
   */
  readonly delivery: number;
  /** The process that runs or ran it; "" for a refusal. */
  readonly instance: string;
  /**
   * The token of the `begin` that made it run: tells a begin whose acknowledgement was lost from
   * another one.
   */
  readonly token: string;
  /** JSON text; "" before its end. */
  readonly outcome: string;
  readonly asked: boolean;
  /** When it was first seen, ms of the ledger's clock. */
  readonly since: number;
  /** When it was last changed. */
  readonly at: number;
}

/** `next` has to be stored; absent: nothing changes. */
export interface Change<CommandResult> {
  readonly answer: CommandResult;
  readonly next?: LedgerRecord;
}

export function begun(record: LedgerRecord | undefined, begin: Begin, token: string, now: number): Change<Begun> {
  const { delivery, instance, retake } = begin;
  const next: LedgerRecord = {
    state: "running",
    delivery,
    instance,
    token,
    outcome: "",
    asked: record?.asked ?? false,
    since: record?.since ?? now,
    at: now,
  };
  if (record === undefined) return { answer: { kind: "new" }, next };
  switch (record.state) {
    case "done":
      return { answer: { kind: "done", outcome: record.outcome } };
    case "refused":
    case "doubted":
      return delivery <= record.delivery ? { answer: { kind: "refused" } } : { answer: { kind: "new" }, next };
    case "running":
      if (record.token === token) return { answer: { kind: "new" } };
      if (retake !== undefined && record.instance === retake) return { answer: { kind: "new" }, next };
      return { answer: { kind: "running", instance: record.instance } };
  }
}

export function finished(record: LedgerRecord | undefined, outcome: string, now: number): Change<Finished> {
  if (record?.state === "done") return { answer: { outcome: record.outcome, asked: record.asked } };
  const wasAsked = record?.asked ?? false;
  const { delivery, instance, token, since } = record ?? { delivery: 0, instance: "", token: "", since: now };
  return {
    answer: { outcome, asked: wasAsked },
    next: { state: "done", delivery, instance, token, outcome, asked: wasAsked, since, at: now },
  };
}

/** @param remembers whether everything that began since the attempt was sent is still known */
export function asked(record: LedgerRecord | undefined, delivery: number, remembers: boolean, now: number): Change<Asked> {
  if (record?.state === "done") return { answer: { kind: "done", outcome: record.outcome } };
  if (record?.state === "running") {
    const answer = { kind: "running", instance: record.instance } as const;
    return record.asked ? { answer } : { answer, next: { ...record, asked: true, at: now } };
  }
  const isSure = record === undefined ? remembers : record.state === "refused";
  const answer: Asked = isSure ? { kind: "never" } : { kind: "unknown" };
  if (record !== undefined && record.delivery >= delivery) return { answer };
  const state = isSure ? "refused" : "doubted";
  const since = record?.since ?? now;
  return { answer, next: { state, delivery, instance: "", token: "", outcome: "", asked: false, since, at: now } };
}
