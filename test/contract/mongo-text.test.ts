import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { decodeKey, decodeText, encodeKey, encodeText } from "../../lib/adapters/mongodb/text-codec.ts";

it("gives texts for MongoDB back as they were", () => {
  const anyText = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom("\uD800", "\uDC00", "\0", "a", ".", "$", "\u{F0800}", "\u{F0900}") }),
  );
  fc.assert(
    fc.property(anyText, anyText, (text, more) => {
      expect(decodeText(encodeText(text))).toBe(text);
      expect(decodeKey(encodeKey(text))).toBe(text);
      expect(encodeText(text).isWellFormed()).toBe(true);
      expect(encodeKey(text)).toMatch(/^[^\0.$]+$/);
      expect(encodeText(text) === encodeText(more)).toBe(text === more);
    }),
  );
  expect(encodeText("Ünï 😀 $.")).toBe("Ünï 😀 $.");
});
