import type { EffectiveOptions } from "../../../schemas/options.ts";

/**
 * Wait before the next automatic attempt, in ms.
 *
 * @param failures attempts of this run that have failed, from 1
 * @param chance 0 ≤ chance < 1, takes the place of randomness for jitter: the wait is shortened by up to `jitter` of itself
 * @param retryAfterMs what the error itself asked for; it wins, capped by `maxDelay`
 */
export function retryDelay(options: EffectiveOptions, failures: number, chance: number, retryAfterMs?: number): number {
  const { retryDelay: base, backoff } = options;
  const cap = backoff.maxDelay ?? Number.MAX_SAFE_INTEGER;
  if (retryAfterMs !== undefined) return Math.min(Math.max(0, Math.round(retryAfterMs)), cap);
  let delay = base;
  if (backoff.type === "linear") delay = base * failures;
  else if (backoff.type === "exponential") delay = base * backoff.factor ** (failures - 1);
  delay = Math.min(delay, cap);
  return Math.round(delay * (1 - backoff.jitter * chance));
}

/** A number in [0, 1) that only depends on the text and the two numbers (FNV-1a with a final mix): jitter without randomness. */
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
