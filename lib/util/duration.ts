import { parse } from "@lukeed/ms";
import { describeValue } from "./describe-value.ts";

/** Ten years. */
export const MAX_DURATION_MS = 315_576_000_000;

const MAX_TEXT = 32;
/**
 * Texts passed to parse(): unsigned and short, because its own pattern takes quadratic time on long
 * digits.
 */
const DURATION = /^\d*\.?\d+ *[a-z]*$/i;

function tooLong(value: number | string): RangeError {
  return new RangeError(`A duration must be at most 10 years (${MAX_DURATION_MS} ms), got ${value}.`);
}

function notADuration(value: unknown): RangeError {
  return new RangeError(
    `A duration must be a whole number of milliseconds, or text such as "5s" or "2 hours", got ${describeValue(value)}.`,
  );
}

/**
 * Milliseconds of a duration: an integer ≥ 0, or text such as "5s", "1.5h", "2 hours". A bare "500"
 * is milliseconds; fractions of a millisecond are rounded. At most 10 years.
 * @throws RangeError that names the value
 */
export function parseDuration(value: unknown): number {
  if (typeof value === "number") {
    if (!Number.isInteger(value) || value < 0) throw notADuration(value);
    if (value > MAX_DURATION_MS) throw tooLong(value);
    return value;
  }
  if (typeof value !== "string" || value.length > MAX_TEXT || !DURATION.test(value)) throw notADuration(value);
  const milliseconds = parse(value);
  // parse() returns undefined for zero, too: it is zero if the text parses with another digit.
  if (milliseconds === undefined) {
    if (Number.parseFloat(value) === 0 && parse(value.replace("0", "1")) !== undefined) return 0;
    throw notADuration(value);
  }
  if (milliseconds > MAX_DURATION_MS) throw tooLong(value);
  return Math.round(milliseconds);
}
