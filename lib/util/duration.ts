import { parse } from "@lukeed/ms";
import { describeValue } from "./describe-value.ts";

/** Ten years. */
export const MAX_DURATION_MS = 315_576_000_000;

const MAX_TEXT = 32;
/** Text that parse() may see: no sign, and short, for its own pattern takes quadratic time over a long row of digits. */
const DURATION = /^\d*\.?\d+ *[a-z]*$/i;

function tooLong(value: number | string): RangeError {
  return new RangeError(`${value} is longer than the longest duration, 10 years (${MAX_DURATION_MS} ms).`);
}

function notADuration(value: unknown): RangeError {
  return new RangeError(
    `${describeValue(value)} is not a duration: give a whole number of milliseconds from 0 on, or text such as "5s" or "2 hours".`,
  );
}

/**
 * Milliseconds of a duration: an integer ≥ 0, or text such as "5s", "1.5h", "2 hours" (a bare "500" is milliseconds; a fraction of a millisecond is
 * rounded). At most 10 years. Anything else throws a RangeError with a sentence that names the value.
 */
export function parseDuration(value: unknown): number {
  if (typeof value === "number") {
    if (!Number.isInteger(value) || value < 0) throw notADuration(value);
    if (value > MAX_DURATION_MS) throw tooLong(value);
    return value;
  }
  if (typeof value !== "string" || value.length > MAX_TEXT || !DURATION.test(value)) throw notADuration(value);
  const milliseconds = parse(value);
  // parse() answers undefined for zero too: it is a zero if the same text with another digit is read.
  if (milliseconds === undefined) {
    if (Number.parseFloat(value) === 0 && parse(value.replace("0", "1")) !== undefined) return 0;
    throw notADuration(value);
  }
  if (milliseconds > MAX_DURATION_MS) throw tooLong(value);
  return Math.round(milliseconds);
}
