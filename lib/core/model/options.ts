/**
 * Options, resolved once. A taskflow of 100,000 tasks has a handful of different options:
 * `resolveOptions` gives equal ones as one frozen object, and their text is made once for each.
 */
import { type EffectiveOptions, OPTIONS, type Options } from "../../../schemas/options.ts";
import { defaultsOf, valuesOf } from "../../util/setting.ts";

export const DEFAULT_OPTIONS: EffectiveOptions = defaultsOf(OPTIONS);

/** Options resolved before, by the base and the override's text. Bounded: it starts anew when it is full. */
const MAX_SHARED = 4_096;
let shared = new WeakMap<EffectiveOptions, Map<string, EffectiveOptions>>();
let sharedCount = 0;

/**
 * `base` with what `override` says: `base` itself if it says nothing, and one object for equal
 * overrides of one base. The override has passed validation.
 */
export function resolveOptions(base: EffectiveOptions, override?: Options): EffectiveOptions {
  if (override === undefined) return base;
  const key = JSON.stringify(override);
  if (key === "{}") return base;
  const known = shared.get(base)?.get(key);
  if (known !== undefined) return known;
  const resolved = valuesOf(OPTIONS, override, base);
  if (sharedCount >= MAX_SHARED) {
    shared = new WeakMap();
    sharedCount = 0;
  }
  const ofBase = shared.get(base) ?? new Map<string, EffectiveOptions>();
  shared.set(base, ofBase.set(key, resolved));
  sharedCount += 1;
  return resolved;
}

const texts = new WeakMap<EffectiveOptions, string>();

/** JSON text; made once for each resolved object. */
export function optionsText(resolved: EffectiveOptions): string {
  let text = texts.get(resolved);
  if (text === undefined) {
    text = JSON.stringify(resolved);
    texts.set(resolved, text);
  }
  return text;
}
