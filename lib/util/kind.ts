/**
 * Kinds of configurable values. Each determines the check at construction, the JSON Schema of
 * definitions, the error message and the documentation.
 */
import { MAX_DURATION_MS, parseDuration } from "./duration.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** `Given` is the type of the written form, `Value` the type that the program uses. */
export interface Kind<Given = unknown, Value = Given> {
  /** Completes "must be …". */
  readonly expects: string;
  /** Schema of the written form. */
  readonly schema: JsonSchema;
  /** Schema of the value; absent: the same. */
  readonly valueSchema?: JsonSchema;
  /** Undefined: `given` is not of this kind. */
  readonly read: (given: unknown) => Value | undefined;
  /** Turns the text of an environment variable into the written form; absent: the text itself. */
  readonly parse?: (text: string) => unknown;
  /** Replaces ", got …" in an error message if the value may contain a secret. */
  readonly got?: (given: unknown) => string;
  /** Exists for the type checker alone. */
  readonly given?: Given;
}

/** JSON Schema formats of a duration's text; the second excludes zero. */
export const DURATION_FORMAT = "taskflow-duration";
export const POSITIVE_DURATION_FORMAT = "taskflow-duration-positive";

/** True or false; in an environment variable also `1` or `0`. */
export const boolean: Kind<boolean> = {
  expects: "true or false",
  schema: { type: "boolean" },
  read: (given) => (typeof given === "boolean" ? given : undefined),
  parse: (text) => SWITCHES[text.toLowerCase()] ?? text,
};

const SWITCHES: Readonly<Record<string, boolean>> = { "1": true, true: true, "0": false, false: false };

export function integer(minimum: number, maximum = Number.MAX_SAFE_INTEGER): Kind<number> {
  return {
    expects: `a whole number ${rangeOf(minimum, maximum)}`,
    schema: { type: "integer", minimum, maximum },
    read: (given) => (Number.isSafeInteger(given) && isWithin(given, minimum, maximum) ? given : undefined),
    parse: numberOf,
  };
}

export function number(minimum: number, maximum: number): Kind<number> {
  return {
    expects: `a number ${rangeOf(minimum, maximum)}`,
    schema: { type: "number", minimum, maximum },
    read: (given) => (isWithin(given, minimum, maximum) ? given : undefined),
    parse: numberOf,
  };
}

/** Milliseconds, or text such as "5s"; the value is in milliseconds. */
export function duration(minimum: 0 | 1 | 1_000): Kind<number | string, number> {
  const shortest = minimum === 1_000 ? "1 s" : `${minimum} ms`;
  const range = { minimum, maximum: MAX_DURATION_MS };
  return {
    expects: `a duration from ${shortest} to 10 years, such as 5000 (ms) or "5s"`,
    schema: { type: ["integer", "string"], ...range, format: minimum === 0 ? DURATION_FORMAT : POSITIVE_DURATION_FORMAT },
    valueSchema: { type: "integer", ...range },
    read: (given) => {
      try {
        const milliseconds = parseDuration(given);
        return milliseconds >= minimum ? milliseconds : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

const UNITS: Readonly<Record<string, number>> = { "": 1, b: 1, kb: 1024, kib: 1024, mb: 1024 ** 2, mib: 1024 ** 2 };

/** A number, or text such as "4KiB"; the value is in bytes. */
export const bytes: Kind<number | string, number> = {
  expects: 'a number of bytes, such as 4096 or "4KiB"',
  schema: { type: ["integer", "string"], minimum: 0 },
  valueSchema: { type: "integer", minimum: 0 },
  read: (given) => {
    if (typeof given === "number") return Number.isSafeInteger(given) && given >= 0 ? given : undefined;
    if (typeof given !== "string") return undefined;
    const [, count, unit = ""] = /^(\d{1,12})\s*([a-z]*)$/i.exec(given) ?? [];
    const size = UNITS[unit.toLowerCase()];
    return count === undefined || size === undefined ? undefined : Number(count) * size;
  },
};

/** Text of at least one character. */
export const text: Kind<string> = {
  expects: "text",
  schema: { type: "string", minLength: 1 },
  read: (given) => (typeof given === "string" && given !== "" ? given : undefined),
};

/** Text that no message may repeat. */
export const secret: Kind<string> = { ...text, got: (given) => (typeof given === "string" ? "" : `, got a ${typeof given}`) };

export function oneOf<const Name extends string>(...names: readonly Name[]): Kind<Name> {
  const quoted = names.map((name) => JSON.stringify(name));
  return {
    expects: `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`,
    schema: { enum: names },
    read: (given) => names.find((name) => name === given),
  };
}

/** A list of texts; separated by commas in an environment variable. */
export function listOf(expects: string): Kind<readonly string[]> {
  return {
    expects,
    schema: { type: "array", items: { type: "string", minLength: 1 }, minItems: 1 },
    read: (given) => (Array.isArray(given) && given.length > 0 && given.every(isText) ? given : undefined),
    parse: (given) =>
      given
        .split(",")
        .map((part) => part.trim())
        .filter(isText),
  };
}

/** Values that no JSON Schema describes, such as functions, checked by a type guard. */
export function guarded<T>(expects: string, isOfKind: (given: unknown) => given is T): Kind<T> {
  return { expects, schema: {}, read: (given) => (isOfKind(given) ? given : undefined) };
}

function isText(given: unknown): given is string {
  return typeof given === "string" && given !== "";
}

function isWithin(given: unknown, minimum: number, maximum: number): given is number {
  return typeof given === "number" && given >= minimum && given <= maximum;
}

function rangeOf(minimum: number, maximum: number): string {
  return maximum === Number.MAX_SAFE_INTEGER ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
}

function numberOf(given: string): unknown {
  return given === "" ? given : Number(given);
}
