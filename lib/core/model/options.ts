/**
 * Resolved options, shared. A taskflow of 100,000 tasks has a handful of different options:
 * `resolveOptions` returns one frozen object for equal ones, and encodes each object once.
 */
import { type EffectiveOptions, OPTIONS, type Options } from "../../../schemas/options.ts";
import { defaultsOf, valuesOf } from "../../util/setting.ts";

export const DEFAULT_OPTIONS: EffectiveOptions = defaultsOf(OPTIONS);

/** Resolved options, by base and by the override's text. Bounded: cleared when full. */
const MAX_SHARED = 4_096;
let shared = new WeakMap<EffectiveOptions, Map<string, EffectiveOptions>>();
let sharedCount = 0;

/**
 * `base` with the values of a validated `override`: `base` itself if the override is empty, and the
 * same object for equal overrides of the same base.
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

/** JSON text, encoded once for each resolved object. */
export function optionsText(resolved: EffectiveOptions): string {
  let text = texts.get(resolved);
  if (text === undefined) {
    text = JSON.stringify(resolved);
    texts.set(resolved, text);
  }
  return text;
}
