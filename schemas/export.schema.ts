/** Portable copies of taskflows, as `exportTaskflow` returns and `importTaskflow` accepts them. */
import { Type, type Static } from "typebox";
import { TaskflowId, Time } from "./common.schema.ts";

const closed = { additionalProperties: false };

/** Format of the journals that this version reads and writes. */
const EXPORT_FORMAT = 1;

/** The end of the year 9999: leaves room for delays and ages, and is still a date. */
const MAX_TIME = 253_402_300_799_999;

/** A time in an export, from which delays and ages are counted on. */
export const ImportedTime = Type.Integer({ minimum: 0, maximum: MAX_TIME, description: "Epoch milliseconds" });

/** An entry of the journal. Its facts are in `lib/validation/fact-schemas.ts`. */
export const EntrySchema = Type.Object(
  {
    at: ImportedTime,
    facts: Type.Array(Type.Unknown()),
  },
  closed,
);

const head = {
  format: Type.Integer({ minimum: 1, description: "Format of the entries" }),
  taskflowId: Type.String({ minLength: 1, maxLength: 128, description: "Id of the original" }),
  revision: Type.Integer({ minimum: 1, description: "Number of entries" }),
};
const entries = Type.Array(Type.Unknown(), { minItems: 1, maxItems: 10_000_000, description: "The journal, for coordinators" });

export const ExportSchema = Type.Object({ ...head, exportedAt: Time("When it was exported"), entries }, closed);
/**
 * A portable copy: the answer of `exportTaskflow` and the params of `importTaskflow`. Only
 * coordinators read its `entries`.
 */
export interface TaskflowExport extends Static<typeof ExportSchema> {}

export const ExportChunkSchema = Type.Object(
  {
    ...head,
    chunk: Type.String({ description: "A chunk of the JSON text of the export" }),
    nextCursor: Type.Optional(Type.String({ description: "Start of the next chunk; absent in the last one" })),
  },
  closed,
);
/** A chunk of the JSON text of an export that exceeds one message. */
export interface ExportChunk extends Static<typeof ExportChunkSchema> {}

export const importParams = {
  ...head,
  format: Type.Unsafe<number>(Type.Literal(EXPORT_FORMAT)),
  exportedAt: Type.Optional(ImportedTime),
  entries,
  newTaskflowId: Type.Optional({ ...TaskflowId, description: "Id of the copy; absent: a new one" }),
};
