/**
 * Finds values in answers that are no data. JSON writes a Map, a Set or a stream without complaint:
 * as `{}`, or as its internals.
 */
import { pointerStep } from "./problem.ts";

/** By `Object.prototype.toString`: a class may be of another package or realm. */
const NO_DATA = new Set(
  (
    "Map Set WeakMap WeakSet WeakRef Promise RegExp " +
    "Blob File FormData Headers Request Response URLSearchParams " +
    "ReadableStream WritableStream TransformStream " +
    "ArrayBuffer SharedArrayBuffer DataView Generator AsyncGenerator"
  ).split(" "),
);

/**
 * The JSON text of an answer; "null" for undefined.
 * @throws Error if it is not JSON, or no data
 */
export function dataText(answer: unknown): string {
  const text = JSON.stringify(answer) as string | undefined;
  const found = noDataIn(answer);
  if (found !== undefined) throw new TypeError(`got ${found}, which is no data`);
  return text ?? "null";
}

/**
 * Describes the first part of an answer that is no data, with its place as a JSON pointer: `a Map
 * at /items/0`; undefined if all of it is data. Classes with `toJSON` (Date, Buffer) are data, and
 * so are objects of a class with fields. Functions and symbols are left out, as JSON does.
 * @param value JSON text was made of it before, so it has no cycle
 */
export function noDataIn(value: unknown): string | undefined {
  const path: (string | number)[] = [];
  const found = find(value, path);
  if (found === undefined) return undefined;
  const article = /^[AEIOaeio]/.test(found) ? "an" : "a";
  return `${article} ${found}${path.length === 0 ? "" : ` at ${path.map((step) => pointerStep(String(step))).join("")}`}`;
}

/** On success `path` leads to it. */
function find(value: unknown, path: (string | number)[]): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const found = findAt(value[index], index, path);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  if (isOfClass(value)) {
    if (typeof fields["toJSON"] === "function") return undefined;
    const kind = kindOf(value, fields);
    if (kind !== undefined) return kind;
  }
  for (const key of Object.keys(fields)) {
    const found = findAt(fields[key], key, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findAt(value: unknown, step: string | number, path: (string | number)[]): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  path.push(step);
  const found = find(value, path);
  if (found === undefined) path.pop();
  return found;
}

/** Whether it is an object that JSON does not give. */
export function isOfClass(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null;
}

function kindOf(value: object, fields: Readonly<Record<string, unknown>>): string | undefined {
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (NO_DATA.has(tag) || ArrayBuffer.isView(value)) return tag;
  if (typeof fields["pipe"] === "function") return "stream";
  if (typeof fields["next"] === "function") return "iterator";
  return undefined;
}
