/** The parts that all schemas share. The numbers here belong to the format itself; those that `settings.limits` may change are in `lib/config/limits.ts`. */
import { Type, type Static, type TSchema } from "typebox";
import { MAX_DURATION_MS } from "../lib/util/duration.ts";
import { duration } from "../lib/util/kind.ts";

/** 10 years of 365.25 days, in milliseconds. */
export { MAX_DURATION_MS };
export * from "./statuses.ts";
/** `pageSize` of a list. */
export const MAX_PAGE_SIZE = 1_000;
/** Tags or attributes of a taskflow, however high `settings.limits` are. */
export const MAX_ENTRIES = 1_000;
/** Characters (code points) of a name, a tag, a key or text value of an attribute, a tenant. */
export const MAX_NAME_LENGTH = 256;
/** Characters of an id that callers choose. */
export const MAX_ID_LENGTH = 128;
/** Characters of why somebody decides something. */
export const MAX_REASON_LENGTH = 2_000;

export const TASKFLOW_ID_PATTERN = "^[A-Za-z0-9_:-]{1,128}$";
/** No control characters (C0, DEL, C1). */
export const NAME_PATTERN = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";
/** Names parts of an action may be made of; a dot only between two parts. It keeps white space, CR/LF and wildcards off the bus. */
export const ACTION_PART_PATTERN = "^[A-Za-z0-9_$-]+(\\.[A-Za-z0-9_$-]+)*$";
export const Name = (description: string) =>
  Type.String({ minLength: 1, maxLength: MAX_NAME_LENGTH, pattern: NAME_PATTERN, description });

export const TaskflowId = Type.String({ pattern: TASKFLOW_ID_PATTERN, description: "1–128 of A-Z a-z 0-9 _ : -" });

/** A number of milliseconds, or text such as "5s". One schema with two types rather than a union: AJV then names the one problem there is. */
export const Duration = (minimum: 0 | 1, description: string) =>
  Type.Unsafe<number | string>({ ...duration(minimum).schema, description });

export const AttributeValue = Type.Unsafe<string | number | boolean>({
  type: ["string", "number", "boolean"],
  maxLength: MAX_NAME_LENGTH,
});

/** Free JSON data of an object's shape; its depth and size are limited by `lib/config/limits.ts`. */
export const JsonObject = (description: string) => Type.Unsafe<Record<string, unknown>>({ type: "object", description });

/** The text of a JSON value. Encoded once where a value enters, then shared by the journal, the events and the messages. */
export type JsonText = string & { readonly JsonText: never };

/** The schema, or null. */
export const Nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);

/** An object of any keys, with values of one schema. */
export const Dictionary = <Schema extends TSchema>(values: Schema, description: string) =>
  Type.Unsafe<Record<string, Static<Schema>>>({ type: "object", additionalProperties: values, description });

/** A schema that stands elsewhere, by its `$id`: one of the catalogue's `COMPONENTS` (`schemas/actions/index.ts`). */
export const Ref = <Value>(id: string) => Type.Unsafe<Value>({ $ref: id });

/** Epoch milliseconds of the store's clock. */
export const Time = (description: string) => Type.Integer({ minimum: 0, description });

/** A number of things. */
export const Count = (description: string) => Type.Integer({ minimum: 0, description });
