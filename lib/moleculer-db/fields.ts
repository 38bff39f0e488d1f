/** The documents that moleculer-db reads, and the paths by which their fields are named. */
import { taskflowError } from "../errors/errors.ts";
import type { TaskflowRow } from "../ports/store.ts";
import { describeValue } from "../util/describe-value.ts";
import { suggestName } from "../util/suggest.ts";

/** A taskflow as a document: its projection, without what only the engine needs. */
export interface TaskflowDocument extends Omit<TaskflowRow, "taskflowId" | "fence" | "dueAt" | "format"> {
  /** The `taskflowId`. */
  _id: string;
}

export type Column = Exclude<keyof TaskflowDocument, "tags" | "attributes" | "annotations">;

const COLUMNS: Readonly<Record<Column, "string" | "number">> = {
  _id: "string",
  name: "string",
  status: "string",
  owner: "string",
  rootId: "string",
  parentTaskflowId: "string",
  tenant: "string",
  template: "string",
  errorType: "string",
  createdAt: "number",
  startedAt: "number",
  finishedAt: "number",
  retryAttempt: "number",
  progress: "number",
};

export type Scalar = string | number | boolean;

/** `string` and `number`: the only type of its values, null aside. */
export type Field =
  | { readonly kind: "column"; readonly path: Column; readonly type: "string" | "number" }
  | { readonly kind: "attribute"; readonly path: string; readonly type: "scalar"; readonly key: string }
  | { readonly kind: "list"; readonly path: "tags" | "annotations.type" | "annotations.value"; readonly type: "string" };

const LISTS = ["tags", "annotations.type", "annotations.value"] as const;
const ATTRIBUTE = "attributes.";
const PATHS: readonly string[] = [...Object.keys(COLUMNS), "taskflowId", ...LISTS, "attributes.<name>"];

/** @param place of the path in the filters, as a JSON pointer */
export function fieldOf(path: string, place: string): Field {
  // The service returns `taskflowId`, so callers use this name too.
  if (path === "taskflowId") return fieldOf("_id", place);
  if (Object.hasOwn(COLUMNS, path)) return { kind: "column", path: path as Column, type: COLUMNS[path as Column] };
  const list = LISTS.find((one) => one === path);
  if (list !== undefined) return { kind: "list", path: list, type: "string" };
  const key = path.startsWith(ATTRIBUTE) ? path.slice(ATTRIBUTE.length) : "";
  if (key !== "") return { kind: "attribute", path, type: "scalar", key };
  const near = suggestName(path, PATHS);
  const remedy = near === undefined ? `use one of ${PATHS.join(", ")}` : `did you mean "${near}"?`;
  throw invalidFilter(place, `must be a field of a taskflow, got ${describeValue(path)}: ${remedy}`);
}

/** `message` follows the place: "must be …, got …: do …". */
export function invalidFilter(place: string, message: string): Error {
  const sentence = `${place} ${message.replace(/[?.]$/, "")}${message.endsWith("?") ? "?" : "."}`;
  return taskflowError("TASKFLOW_VALIDATION_ERROR", sentence, [{ path: place, message: sentence }]);
}
