/** The parser skips the context that a plain worker sends back, and nothing else. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { isResponse, skipContext } from "../../lib/adapters/nats/packets.ts";
import { runs } from "../helpers/runs.ts";

const ID = "0199c3a2-0000-7000-8000-000000000001";

interface Response {
  id: string;
  meta: Record<string, unknown>;
  success: boolean;
  data: unknown;
}

const responseOf = (context: unknown, others: object, data: unknown): Buffer =>
  Buffer.from(JSON.stringify({ id: ID, meta: { taskflowExecutionContext: context, ...others }, success: true, data, ver: "4" }));

/** As the transporter reads it: in full, if the part is not JSON. */
function read(bytes: Buffer, length: number): Response {
  const rest = skipContext(bytes, (id) => (id === ID ? length : 0));
  try {
    const payload = JSON.parse(rest.toString()) as Response;
    if (isResponse({ payload })) return payload;
  } catch {
    // Not JSON.
  }
  return JSON.parse(bytes.toString()) as Response;
}

test("an answer with the unchanged context is read without it", () => {
  const context = { text: 'größe "}},', nested: { list: [1, "}"] } };
  for (const others of [{}, { user: "ada" }]) {
    const bytes = responseOf(context, others, { done: true });
    const rest = skipContext(bytes, () => Buffer.byteLength(JSON.stringify(context)));
    expect(rest.length).toBeLessThan(bytes.length);
    expect(JSON.parse(rest.toString())).toEqual({ id: ID, meta: others, success: true, data: { done: true }, ver: "4" });
  }
});

test("an answer with a changed context is read unchanged", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("}", ",", '"', "},", '}},"success":true,"data":1}', "{"));
  const json = fc.oneof(fc.jsonValue(), fc.dictionary(text, text), fc.dictionary(text, fc.dictionary(text, text)));
  fc.assert(
    fc.property(json, json, fc.integer({ min: 0, max: 200 }), (context, data, length) => {
      const bytes = responseOf(context, {}, data);
      const response = read(bytes, length);
      const given = JSON.parse(bytes.toString()) as Response;
      expect({ ...response, meta: {} }).toEqual({ ...given, meta: {} });
    }),
    { numRuns: runs(1_000, 3_000) },
  );
});

test("any other packet is left unchanged", () => {
  for (const packet of [{ id: ID, meta: {}, success: true }, { meta: { taskflowExecutionContext: {} }, id: ID }, {}, []]) {
    const bytes = Buffer.from(JSON.stringify(packet));
    expect(skipContext(bytes, () => 5)).toBe(bytes);
  }
  const unknown = responseOf({ a: 1 }, {}, 1);
  expect(skipContext(unknown, () => 0)).toBe(unknown);
});
