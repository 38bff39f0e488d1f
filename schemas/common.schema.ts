/**
 * Parts that all schemas share. The limits here belong to the format; `lib/config/limits.ts` has
 * the configurable ones.
 */
import { Type, type Static, type TSchema } from "typebox";
import { MAX_DURATION_MS } from "../lib/util/duration.ts";
import { duration } from "../lib/util/kind.ts";

/** 10 years of 365.25 days, in milliseconds. */
export { MAX_DURATION_MS };
export * from "./statuses.ts";
/** Maximum `pageSize` of a list. */
export const MAX_PAGE_SIZE = 1_000;
/** Maximum number of tags or attributes, however high `settings.limits` are. */
export const MAX_ENTRIES = 1_000;
/** Characters (code points) of a name, a tag, a key or text value of an attribute, a tenant. */
export const MAX_NAME_LENGTH = 256;
/** Characters of an id that callers choose. */
export const MAX_ID_LENGTH = 128;
/** Characters of a reason. */
export const MAX_REASON_LENGTH = 2_000;

export const TASKFLOW_ID_PATTERN = "^[A-Za-z0-9_:-]{1,128}$";
/**
 * No half of a surrogate pair: stores keep another character instead, so that two texts would be
 * one. In a Unicode pattern the range matches no whole pair.
 */
export const WELL_FORMED_PATTERN = "^[^\\ud800-\\udfff]*$";
/** No control characters (C0, DEL, C1), and no half of a surrogate pair. */
export const NAME_PATTERN = "^[^\\u0000-\\u001f\\u007f-\\u009f\\ud800-\\udfff]*$";
/**
 * A name of a service or action; dots only between parts. Keeps white space, CR/LF and wildcards
 * off the bus.
 */
export const ACTION_PART_PATTERN = "^[A-Za-z0-9_$-]+(\\.[A-Za-z0-9_$-]+)*$";
export const Name = (description: string) =>
  Type.String({ minLength: 1, maxLength: MAX_NAME_LENGTH, pattern: NAME_PATTERN, description });

export const TaskflowId = Type.String({ pattern: TASKFLOW_ID_PATTERN, description: "1–128 of A-Z a-z 0-9 _ : -" });

/**
 * Milliseconds, or text such as "5s". Not a union: AJV reports one problem for a list of types,
 * several for a union.
 */
export const Duration = (minimum: 0 | 1, description: string) =>
  Type.Unsafe<number | string>({ ...duration(minimum).schema, description });

export const AttributeValue = Type.Unsafe<string | number | boolean>({
  type: ["string", "number", "boolean"],
  maxLength: MAX_NAME_LENGTH,
  pattern: WELL_FORMED_PATTERN,
});

/** An object of free JSON data; `lib/config/limits.ts` limits its depth and size. */
export const JsonObject = (description: string) => Type.Unsafe<Record<string, unknown>>({ type: "object", description });

/**
 * The text of a JSON value: encoded once where it enters, then shared by journal, events and
 * messages.
 */
export type JsonText = string & { readonly JsonText: never };

/** The schema, or null. */
export const Nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);

/** An object of any keys, with values of one schema. */
export const Dictionary = <Schema extends TSchema>(values: Schema, description: string) =>
  Type.Unsafe<Record<string, Static<Schema>>>({ type: "object", additionalProperties: values, description });

/**
 * A reference to one of the catalogue's `COMPONENTS` (`schemas/actions/index.ts`), by its `$id`.
 */
export const Ref = <Value>(id: string) => Type.Unsafe<Value>({ $ref: id });

/** Epoch milliseconds of the store's clock. */
export const Time = (description: string) => Type.Integer({ minimum: 0, description });

/** A number of things. */
export const Count = (description: string) => Type.Integer({ minimum: 0, description });
