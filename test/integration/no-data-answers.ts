/** Answers of handlers that are no data, by what the error calls them; and some that are. */
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";

function* generate(): Generator<number> {
  yield 1;
}

class Money {
  readonly amount = 3;
}

/** `next` alone makes no iterator. */
class Page {
  readonly rows = [1];
  next(): Page {
    return new Page();
  }
}

const NO_DATA: Readonly<Record<string, () => unknown>> = {
  "a Map": () => new Map([["a", 1]]),
  "a Set": () => new Set([1]),
  "a Blob": () => new Blob(["x"]),
  "a Response": () => new Response("x"),
  "a Headers": () => new Headers(),
  "a Promise at /later": () => ({ later: Promise.resolve(1) }),
  "an ArrayBuffer": () => new ArrayBuffer(4),
  "a Uint8Array at /bytes": () => ({ bytes: new Uint8Array(3) }),
  "a Generator": () => generate(),
  "an iterator": () => [1].values(),
  "a Map at /rows/1/a~1b": () => ({ rows: [1, { "a/b": new Map() }] }),
  "a RegExp at /0": () => [/x/],
  "an Error at /0/reason": () => [{ status: "rejected", reason: new TypeError("x") }],
  "an iterator at /rows": () => ({ rows: { next: () => ({ done: true }), [Symbol.iterator]: () => [1].values() } }),
};

/** Moleculer sends a stream of a worker without the mixin in chunks. */
const STREAMS: Readonly<Record<string, () => unknown>> = {
  "of a file": () => createReadStream(import.meta.filename),
  "of many chunks": () => Readable.from(Array.from({ length: 500 }, () => "x".repeat(10_000))),
  "that fails": () => createReadStream("/no such file"),
};

/** Moleculer does not look for streams inside an answer. */
export const INNER_STREAM = "an inner stream that fails";

const DATA: Readonly<Record<string, readonly [() => unknown, string]>> = {
  date: [() => new Date(0), '"1970-01-01T00:00:00.000Z"'],
  buffer: [() => ({ bytes: Buffer.from("a") }), '{"bytes":{"type":"Buffer","data":[97]}}'],
  class: [() => new Money(), '{"amount":3}'],
  "class with next()": [() => new Page(), '{"rows":[1]}'],
  "own toJSON": [() => ({ map: new Map(), toJSON: () => 2 }), "2"],
  toJSON: [() => ({ map: Object.assign(new Map(), { toJSON: () => 1 }) }), '{"map":1}'],
  nothing: [() => undefined, "null"],
  "no prototype": [() => Object.assign(Object.create(null) as object, { a: [] }), '{"a":[]}'],
  "a method": [() => ({ a: 1, f: () => 2 }), '{"a":1}'],
  URL: [() => new URL("http://a/"), '"http://a/"'],
};

export const NO_DATA_KINDS = Object.keys(NO_DATA);
export const STREAM_KINDS = Object.keys(STREAMS);
export const DATA_KINDS: readonly (readonly [string, string])[] = Object.entries(DATA).map(([kind, [, text]]) => [kind, text]);

export function answerOf(kind: string): unknown {
  if (kind === INNER_STREAM) return { files: [STREAMS["that fails"]?.()] };
  return (NO_DATA[kind] ?? STREAMS[kind] ?? DATA[kind]?.[0])?.();
}
