/**
 * Finds values in answers that are no data. JSON writes a Map, a Set or a stream without complaint:
 * as `{}`, or as its internals.
 */
import { pointerStep } from "./problem.ts";

/** By `Object.prototype.toString`: a class may be of another package or realm. */
const NO_DATA = new Set(
  (
    "Map Set WeakMap WeakSet WeakRef Promise RegExp Error DOMException " +
    "Blob File FormData Headers Request Response URLSearchParams " +
    "ReadableStream WritableStream TransformStream " +
    "ArrayBuffer SharedArrayBuffer DataView Generator AsyncGenerator"
  ).split(" "),
);

/** A part of an answer that is no data. */
interface NoData {
  readonly kind: string;
  readonly value: object;
  /** A JSON pointer; completed on the way back. */
  path: string;
}

/** The members of a Node stream that releasing it takes; other packages' streams may lack some. */
interface StreamLike {
  readonly pipe?: unknown;
  readonly on?: (event: string, listener: () => void) => unknown;
  readonly destroy?: () => unknown;
}

/**
 * The JSON text of an answer; "null" for undefined. A stream that is refused is closed.
 * @throws Error if it is not JSON, or no data
 */
export function dataText(answer: unknown): string {
  // Before JSON is made of it: a socket has cycles.
  if (isOfClass(answer) && !hasJsonForm(answer)) discardStream(answer);
  const text = JSON.stringify(answer) as string | undefined;
  const found = noDataOf(answer);
  if (found === undefined) return text ?? "null";
  discardStream(found.value);
  throw new TypeError(`got ${sentenceOf(found)}, which is no data`);
}

/**
 * Describes the first part of an answer that is no data, with its place as a JSON pointer: `a Map
 * at /items/0`; undefined if all of it is data. What has `toJSON` (Date, Buffer) is data, and so
 * are objects of a class with fields. Functions and symbols are left out, as JSON does.
 * @param value JSON text was made of it before, so it has no cycle
 */
export function noDataIn(value: unknown): string | undefined {
  const found = noDataOf(value);
  return found && sentenceOf(found);
}

const noDataOf = (value: unknown): NoData | undefined => (typeof value === "object" && value !== null ? find(value) : undefined);

function sentenceOf({ kind, path }: NoData): string {
  return `${/^[AEIOaeio]/.test(kind) ? "an" : "a"} ${kind}${path === "" ? "" : ` at ${path}`}`;
}

/** Walks through every answer, so it makes nothing but on the way back from what it found. */
function find(value: object): NoData | undefined {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const inner: unknown = value[index];
      const found = typeof inner === "object" && inner !== null ? find(inner) : undefined;
      if (found !== undefined) return placed(found, value, index);
    }
    return undefined;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  if (isOfClass(value)) return findInInstance(value, fields);
  for (const key in fields) {
    const inner = fields[key];
    if (typeof inner === "object") {
      const found = inner === null ? undefined : find(inner);
      if (found !== undefined) return placed(found, value, key);
    } else if (typeof inner === "function" && key === "next" && isIterable(value) && !hasJsonForm(value)) {
      return { kind: "iterator", value, path: "" };
    }
  }
  return undefined;
}

function findInInstance(value: object, fields: Readonly<Record<string, unknown>>): NoData | undefined {
  if (hasJsonForm(value)) return undefined;
  const kind = kindOf(value, fields);
  if (kind !== undefined) return { kind, value, path: "" };
  // Without what its class inherits.
  for (const key of Object.keys(fields)) {
    const inner = fields[key];
    const found = typeof inner === "object" && inner !== null ? find(inner) : undefined;
    if (found !== undefined) return placed(found, value, key);
  }
  return undefined;
}

/** What was found at one step into a container, unless the container has a form of its own. */
function placed(found: NoData, container: object, step: string | number): NoData | undefined {
  if (hasJsonForm(container)) return undefined;
  found.path = pointerStep(step) + found.path;
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
  // A class may have a method of this name: a page leads to the next one.
  if (typeof fields["next"] === "function" && isIterable(value)) return "iterator";
  return undefined;
}

const hasJsonForm = (value: object): boolean => typeof (value as { toJSON?: unknown }).toJSON === "function";

const isIterable = (value: object): boolean => Symbol.iterator in value || Symbol.asyncIterator in value;

/** Nobody reads it: it must not keep its file open, nor end the process by an error. */
function discardStream(value: StreamLike): void {
  if (typeof value.pipe !== "function") return;
  value.on?.("error", () => {});
  value.destroy?.();
}
