/**
 * The journal's text. Entries are JSON, written by hand: responses and definitions are JSON text
 * already, and this runs for every commit.
 * `{"at":<ms>,"facts":[{"kind":"started","task":1,"attempt":0,"node":"worker-1"},…]}`
 */
import { BoundedMap } from "../../util/bounded-map.ts";
import { apply } from "./apply.ts";
import { build } from "./build.ts";
import type { Created, Entry, Fact } from "./facts.ts";
import type { Flow } from "../model/flow.ts";
import type { JsonText } from "../model/values.ts";

/** A fact as parsed from the text: its response is a value. */
type ReadFact = Exclude<Fact, Created> & { response?: unknown };

/**
 * @param definition the definition's JSON text, which saves encoding it again in a `created` fact
 */
export function encodeEntry(at: number, facts: readonly Fact[], definition?: string): string {
  let text = `{"at":${at},"facts":[`;
  for (let i = 0; i < facts.length; i++) {
    const fact = facts[i];
    if (fact) text += (i === 0 ? "" : ",") + encodeFact(fact, definition);
  }
  return `${text}]}`;
}

const quoted = new BoundedMap<string, string>(1_000);

/** Cached JSON texts: the same few node ids recur. */
const quote = (text: string): string => quoted.getOrMake(text, JSON.stringify);

function encodeFact(fact: Fact, definition: string | undefined): string {
  switch (fact.kind) {
    case "started":
      return `{"kind":"started","task":${fact.task},"attempt":${fact.attempt}${fact.node === undefined ? "" : `,"node":${quote(fact.node)}`}${fact.process === undefined ? "" : `,"process":${quote(fact.process)}`}}`;
    case "settled": {
      const flags =
        (fact.blocks ? ',"blocks":true' : "") +
        (fact.abort ? ',"abort":true' : "") +
        (fact.awaits ? ',"awaits":true' : "") +
        (fact.reason === undefined ? "" : `,"reason":${JSON.stringify(fact.reason)}`) +
        (fact.whenValues === undefined ? "" : `,"whenValues":${JSON.stringify(fact.whenValues)}`);
      return `{"kind":"settled","task":${fact.task},"status":"${fact.status}"${flags}${encodeResult(fact)}}`;
    }
    case "delayed":
      return `{"kind":"delayed","task":${fact.task},"retryAt":${fact.retryAt}${encodeResult(fact)}}`;
    case "late-response":
      return `{"kind":"late-response","task":${fact.task},"delivery":${fact.delivery},"status":"${fact.status}"${encodeResult(fact)}}`;
    case "responded":
      return `{"kind":"responded","task":${fact.task},"delivery":${fact.delivery}${encodeResult(fact)}}`;
    case "created": {
      if (definition === undefined) return JSON.stringify(fact);
      const { definition: _, ...rest } = fact;
      return `${JSON.stringify(rest).slice(0, -1)},"definition":${definition}}`;
    }
    default:
      return JSON.stringify(fact);
  }
}

function encodeResult({ error, response }: { error?: unknown; response?: JsonText }): string {
  return (
    (error === undefined ? "" : `,"error":${JSON.stringify(error)}`) + (response === undefined ? "" : `,"response":${response}`)
  );
}

export function decodeEntry(text: string): Entry {
  return restoreEntry(JSON.parse(text) as StoredEntry);
}

/** An entry as parsed from JSON. */
export interface StoredEntry {
  readonly at: number;
  readonly facts: readonly (Created | ReadFact)[];
}

export function restoreEntry({ at, facts }: StoredEntry): Entry {
  return { at, facts: facts.map(restoreFact) };
}

function restoreFact(fact: Created | ReadFact): Fact {
  if (fact.kind === "created" || fact.response === undefined) return fact;
  return { ...fact, response: JSON.stringify(fact.response) as JsonText } as Fact;
}

/**
 * Rebuilds a taskflow from its journal. A snapshot replaces what its first entry left.
 * @param revision number of its latest entry; differs from their number if it was compacted
 * @throws Error if the journal does not begin with a `created` fact
 */
export function replay(entries: readonly Entry[], revision = entries.length): Flow {
  const [first, ...others] = entries;
  const flow = build(creationIn(first), first?.at ?? 0);
  if (first && !isSnapshot(others[0])) applyEntry(flow, first);
  for (const entry of others) applyEntry(flow, entry);
  flow.revision = revision;
  return flow;
}

/** The first fact of a journal, from its first entry. */
export function creationIn(first: Entry | undefined): Created {
  const fact = first?.facts[0];
  if (fact?.kind === "created") return fact;
  throw new Error(`The first fact of a journal must be "created", got ${fact ? `"${fact.kind}"` : "none"}.`);
}

/** Whether an entry begins a snapshot. */
export function isSnapshot(entry: Entry | undefined): boolean {
  const fact = entry?.facts[0];
  return fact?.kind === "compacted" && fact.flow !== undefined;
}

export function applyEntry(flow: Flow, { at, facts }: Entry): void {
  for (const fact of facts) if (fact.kind !== "created") apply(flow, fact, at);
}
