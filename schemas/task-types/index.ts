/**
 * The schema of each task type's `taskDetails`. A new type adds a line here; the compiler then
 * requires its line in `lib/task-types/index.ts`.
 */
import type { Static } from "typebox";
import { ActionDetailsSchema } from "./action.schema.ts";
import { TransformDetailsSchema } from "./transform.schema.ts";

export const TASK_DETAILS_SCHEMAS = {
  ACTION: ActionDetailsSchema,
  TRANSFORM: TransformDetailsSchema,
} as const;

/** The types that come with the package. */
export type BuiltInTaskType = keyof typeof TASK_DETAILS_SCHEMAS;
export type BuiltInTaskDetails = { [T in BuiltInTaskType]: Static<(typeof TASK_DETAILS_SCHEMAS)[T]> };

/** `taskDetails` by `type`. A project adds its own types here by declaration merging. */
export interface TaskDetailsByType extends BuiltInTaskDetails {}

/** `taskDetails` of a task of any type. */
export type AnyTaskDetails = TaskDetailsByType[keyof TaskDetailsByType];

/** `type` and `taskDetails` of a task of any type. */
export type TypeAndDetails = {
  [Type in keyof TaskDetailsByType]: { type: Type; taskDetails: TaskDetailsByType[Type] };
}[keyof TaskDetailsByType];

/** Names of the types of this and of planned versions: no other type may use them. */
export const RESERVED_TASK_TYPES: readonly string[] = [
  "ACTION",
  "NATS",
  "CHANNEL",
  "EVENT",
  "TASKFLOW",
  "TRANSFORM",
  "EXTERNAL",
  "WAIT",
];
