/**
 * Params as JSON: their text, made once and used for all that follows, and a copy that says the same.
 *
 * A caller in the same process hands over its own objects: they may change later, have getters, cycles, dates. The copy is
 * what a caller over the bus would have sent, exactly as JSON.stringify makes it: undefined, functions and symbols are left out (null in arrays),
 * NaN and infinities are null, dates are their ISO text, Map and Set are `{}`, `toJSON` is heard. What JSON.stringify refuses (BigInt, cycles, nesting beyond
 * its stack) is a problem that names the place.
 */
import { copyJson } from "../util/copy-json.ts";
import { placeOf, pointerStep, type Problem } from "../util/problem.ts";
import { describeValue } from "../util/describe-value.ts";

export type Encoded =
  { readonly ok: true; readonly text: string; readonly value: unknown } | { readonly ok: false; readonly problem: Problem };

/** Text over the limit is looked at no further: its problem is the only one. */
export function encodeJson(params: unknown, maxBytes: number): Encoded {
  try {
    const text: string | undefined = JSON.stringify(params);
    if (text === undefined) {
      return {
        ok: false,
        problem: { path: "", message: `The whole is ${describeValue(params)}: give an object.`, keyword: "type" },
      };
    }
    const bytes = byteLengthOver(text, maxBytes);
    if (bytes !== undefined) {
      const message = `The whole is ${bytes} bytes of JSON, over the limit of ${maxBytes}: split the work, or pass references to large data.`;
      return { ok: false, problem: { path: "", message, keyword: "definitionBytes", limit: maxBytes } };
    }
    return { ok: true, text, value: copyJson(params) };
  } catch (err) {
    return { ok: false, problem: findUnencodable(params, err) };
  }
}

/** Bytes of a text in UTF-8 if they are more than `maxBytes`. A UTF-16 unit is at most three bytes: most texts need no counting. */
export function byteLengthOver(text: string, maxBytes: number): number | undefined {
  if (text.length * 3 <= maxBytes) return undefined;
  const bytes = Buffer.byteLength(text);
  return bytes > maxBytes ? bytes : undefined;
}

/** Bounded search of what JSON.stringify stumbled over. */
const MAX_VISITED = 200_000;
/** Far below what JSON.stringify manages (some thousands), far above any limit on depth that makes sense. */
const DEEP = 2_000;

/** Of a path that is told. */
const MAX_STEPS = 20;

interface Frame {
  readonly value: object;
  readonly keys: readonly string[];
  next: number;
}

function findUnencodable(params: unknown, cause: unknown): Problem {
  try {
    const found = searchUnencodable(params);
    if (found !== undefined) return found;
  } catch {
    // A getter or a proxy that throws: the sentence below says what JSON.stringify said.
  }
  const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : "unknown reason";
  return { path: "", message: `The whole cannot be written as JSON (${reason}): give plain data.`, keyword: "json" };
}

/** Depth first with a stack of its own, as the input may be of any depth. */
function searchUnencodable(params: unknown): Problem | undefined {
  const stack: Frame[] = [];
  const open = new Set<object>();
  const pathOf = (): string =>
    stack
      .slice(0, MAX_STEPS)
      .map((frame) => pointerStep(frame.keys[frame.next - 1] ?? ""))
      .join("");
  const enter = (value: unknown): Problem | undefined => {
    if (typeof value === "bigint") {
      const message = `${placeOf(pathOf())} is the BigInt ${value.toString().slice(0, 40)}, which JSON does not have: give a number or text.`;
      return { path: pathOf(), message, keyword: "json" };
    }
    if (typeof value !== "object" || value === null) return undefined;
    if (open.has(value)) {
      return {
        path: pathOf(),
        message: `${placeOf(pathOf())} is an object that contains itself: give plain data.`,
        keyword: "json",
      };
    }
    if (stack.length >= DEEP) {
      const message = `${placeOf(pathOf())} … holds objects and arrays more than ${DEEP} deep inside one another: make it flatter.`;
      return { path: pathOf(), message, keyword: "jsonDepth" };
    }
    open.add(value);
    stack.push({ value, keys: Object.keys(value), next: 0 });
    return undefined;
  };

  let problem = enter(params);
  for (let visited = 0; problem === undefined && stack.length > 0 && visited < MAX_VISITED; visited++) {
    const frame = stack.at(-1);
    if (frame === undefined) break;
    const key = frame.keys[frame.next];
    frame.next += 1;
    if (key === undefined) {
      open.delete(frame.value);
      stack.pop();
    } else {
      problem = enter(Reflect.get(frame.value, key));
    }
  }
  return problem;
}
