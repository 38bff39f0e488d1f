import { MAX_DURATION_MS } from "../../util/duration.ts";
import type { EffectiveOptions } from "../../../schemas/options.ts";

/**
 * Wait before the next automatic attempt, in ms.
 *
 * @param failures number of failed attempts in this run, from 1
 * @param chance 0 ≤ chance < 1: replaces randomness; jitter shortens the wait by up to its `jitter`
 *   fraction
 * @param retryAfterMs requested by the error itself; takes precedence, capped by `maxDelay`
 */
export function retryDelay(options: EffectiveOptions, failures: number, chance: number, retryAfterMs?: number): number {
  const { retryDelay: base, backoff } = options;
  const cap = Math.min(backoff.maxDelay ?? MAX_DURATION_MS, MAX_DURATION_MS);
  if (retryAfterMs !== undefined) return Math.min(Math.max(0, Math.round(retryAfterMs)), cap);
  let delay = base;
  if (backoff.type === "linear") delay = base * failures;
  else if (backoff.type === "exponential") delay = base * backoff.factor ** (failures - 1);
  delay = Math.min(delay, cap);
  return Math.round(delay * (1 - backoff.jitter * chance));
}

/** A hash of its arguments in [0, 1) (FNV-1a with a final mix): jitter without randomness. */
export function chanceOf(text: string, a: number, b: number): number {
  let hash = 0x811c9dc5;
  for (const part of [text, String(a), String(b)]) {
    for (let i = 0; i < part.length; i++) hash = Math.imul(hash ^ part.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ 0xff, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  hash ^= hash >>> 13;
  return (hash >>> 0) / 2 ** 32;
}
