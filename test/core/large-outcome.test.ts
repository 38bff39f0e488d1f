/** Outcomes in chunks: they are complete once joined, and a misbehaving worker is detected. */
import { describe, expect, test } from "@jest/globals";
import { isToBeFetched, joinOutcome, outcomeChunk, toBeFetched } from "../../lib/protocol/large-outcome.ts";
import { isBeginning, chunkAt } from "../../lib/protocol/chunks.ts";

const TEXT = JSON.stringify({ ok: true, response: "a😀ä\n".repeat(1_000) });
const MOST = 100_000;

const join = (
  text: string,
  bytes: number,
  change: (part: object, offset: number) => unknown = (part) => part,
): Promise<unknown> => {
  const at = (offset: number): unknown => change(outcomeChunk(text, offset, bytes), offset);
  return joinOutcome(at(0), MOST, (offset) => Promise.resolve(at(offset)));
};

test.each([6, 7, 100, 1_000, 1_000_000])("an outcome is complete after chunks of %s bytes, none larger", async (bytes) => {
  expect(await join(TEXT, bytes)).toEqual(JSON.parse(TEXT));
  for (let next: number | undefined = 0; next !== undefined;) {
    const part = chunkAt(TEXT, next, bytes);
    expect(Buffer.byteLength(JSON.stringify(part.chunk)) - 2).toBeLessThanOrEqual(Math.max(bytes, 6));
    expect(part.chunk.isWellFormed()).toBe(true);
    next = part.nextOffset;
  }
});

test("no chunk begins inside a character or after the end", () => {
  expect([0, 1, 2, 3, 4].map((offset) => isBeginning('"😀"', offset))).toEqual([true, true, false, true, false]);
});

test("only an answer with the key of the attempt is fetched in chunks", () => {
  expect(isToBeFetched(toBeFetched("f:t:0"), "f:t:0")).toBe(true);
  expect(isToBeFetched(toBeFetched("f:t:0"), "f:t:1")).toBe(false);
  for (const answer of [null, "f:t:0", { $taskflowOutcome: true }, []]) expect(isToBeFetched(answer, "f:t:0")).toBe(false);
});

describe("a worker", () => {
  test.each<[string, (part: object, offset: number) => unknown, RegExp]>([
    ["announces too much", (part) => ({ ...part, bytes: MOST + 1 }), /more than 100000/],
    [
      "never ends",
      (part, offset) => ({ ...part, chunk: "x".repeat(1_000), nextOffset: offset + 1_000 }),
      /longer than the announced/,
    ],
    ["says nothing new", (part) => ({ ...part, chunk: "" }), /chunk of the outcome is malformed/],
    ["leaves something out", (part, offset) => (offset === 0 ? { ...part, nextOffset: 500 } : part), /claims to begin at 500/],
    ["goes round in circles", (part) => ({ ...part, nextOffset: 0 }), /claims to begin at 0/],
    ["answers with nothing", (part, offset) => (offset === 0 ? part : undefined), /chunk of the outcome is malformed/],
    ["omits its digest", ({ ...part }) => ({ ...part, digest: undefined }), /first chunk is malformed/],
    [
      "changes its mind",
      (part, offset) => (offset === 0 ? part : { ...part, chunk: (part as { chunk: string }).chunk.toUpperCase() }),
      /do not match/,
    ],
    ["says something else", (part) => ({ ...part, chunk: "y".repeat((part as { chunk: string }).chunk.length) }), /do not match/],
  ])("that %s is rejected", async (_, change, message) => {
    await expect(join(TEXT, 300, change)).rejects.toThrow(message);
  });
});
