/**
 * Params as JSON: their text, encoded once for all uses, and an equivalent copy.
 *
 * A caller in the same process passes its own objects, which may change later and may have getters,
 * cycles or dates. The copy is what the bus would have delivered, exactly as JSON.stringify writes
 * it: undefined, functions and symbols are omitted (null in arrays), NaN and infinities are null,
 * dates are ISO text, Map and Set are `{}`, and `toJSON` is called. A value that JSON.stringify
 * refuses (BigInt, cycles, nesting beyond its stack) is a problem that names its path.
 */
import { copyJson } from "../util/copy-json.ts";
import { placeOf, pointerStep, type Problem } from "../util/problem.ts";
import { describeValue } from "../util/describe-value.ts";

export type Encoded =
  { readonly ok: true; readonly text: string; readonly value: unknown } | { readonly ok: false; readonly problem: Problem };

/** If the text is over the limit, that is the only problem reported. */
export function encodeJson(params: unknown, maxBytes: number): Encoded {
  try {
    const text: string | undefined = JSON.stringify(params);
    if (text === undefined) {
      return {
        ok: false,
        problem: { path: "", message: `params must be an object, got ${describeValue(params)}.`, keyword: "type" },
      };
    }
    const bytes = byteLengthOver(text, maxBytes);
    if (bytes !== undefined) {
      const message = `params must have at most ${maxBytes} bytes of JSON, got ${bytes}: split the work, or pass references to large data.`;
      return { ok: false, problem: { path: "", message, keyword: "definitionBytes", limit: maxBytes } };
    }
    return { ok: true, text, value: copyJson(params) };
  } catch (err) {
    return { ok: false, problem: findUnencodable(params, err) };
  }
}

/**
 * UTF-8 bytes of a text, if more than `maxBytes`. A UTF-16 unit has at most three: most texts need
 * no count.
 */
export function byteLengthOver(text: string, maxBytes: number): number | undefined {
  if (text.length * 3 <= maxBytes) return undefined;
  const bytes = Buffer.byteLength(text);
  return bytes > maxBytes ? bytes : undefined;
}

/** Bounds the search for the value that JSON.stringify refused. */
const MAX_VISITED = 200_000;
/**
 * Far below the depth that JSON.stringify manages (some thousands), far above any sensible limit.
 */
const DEEP = 2_000;

/** Maximum number of steps in a reported path. */
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
    // A getter or a proxy threw: the message below quotes JSON.stringify's error.
  }
  const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : "unknown reason";
  return { path: "", message: `params must be plain data that JSON can encode (${reason}).`, keyword: "json" };
}

/** Depth first, with an explicit stack: the input may have any depth. */
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
      const message = `${placeOf(pathOf())} must be a number or text, got the BigInt ${value.toString().slice(0, 40)}, which JSON cannot encode.`;
      return { path: pathOf(), message, keyword: "json" };
    }
    if (typeof value !== "object" || value === null) return undefined;
    if (open.has(value)) {
      return {
        path: pathOf(),
        message: `${placeOf(pathOf())} must be plain data, got an object that contains itself.`,
        keyword: "json",
      };
    }
    if (stack.length >= DEEP) {
      const message = `${placeOf(pathOf())} … must have at most ${DEEP} levels of objects and arrays, got more: make it flatter.`;
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
