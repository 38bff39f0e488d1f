/** TRANSFORM: computes its response from templates, and calls nothing. */
import { TransformDetailsSchema, type TransformDetails } from "../../../schemas/task-types/transform.schema.ts";
import type { TaskType } from "../../core/model/task-type.ts";

export const transform: TaskType<TransformDetails> = {
  name: "TRANSFORM",
  schema: TransformDetailsSchema,
  hasTemplates: true,
  begin: ({ definition }) => ({ kind: "done", response: definition.taskDetails.value ?? null }),
};
