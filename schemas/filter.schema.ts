/** Filters of `listTaskflows` and `bulk`. A taskflow must match all that are given. */
import { Type } from "typebox";
import { AttributeValue, MAX_NAME_LENGTH, NAME_PATTERN, Name, TASKFLOW_STATUSES, TaskflowId } from "./common.schema.ts";

/** Of a filter that takes one value, or an array of them: one of those must match. */
export const SEVERAL = { minItems: 1, maxItems: 100 };
const taskflowStatus = Type.Enum(TASKFLOW_STATUSES);
const errorType = Name("Type of an error");
const time = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, description: `${description}, epoch milliseconds` }));

const annotations = Type.Optional(
  Type.Object(
    { type: Name("Of an annotation"), value: Type.Optional(Type.Unknown({ description: "Its value; any if absent" })) },
    { additionalProperties: false, description: "With such an annotation" },
  ),
);

export const FILTER = {
  status: Type.Optional(Type.Union([taskflowStatus, Type.Array(taskflowStatus, SEVERAL)])),
  name: Type.Optional(Name("The whole name")),
  tenant: Type.Optional(Name("Whose they are")),
  template: Type.Optional(Name("Name of the template they were made of")),
  tags: Type.Optional(Type.Array(Name("A tag"), { maxItems: 50, description: "All of them" })),
  attributes: Type.Optional(
    Type.Unsafe<Record<string, string | number | boolean>>({
      type: "object",
      maxProperties: 50,
      propertyNames: { minLength: 1, maxLength: MAX_NAME_LENGTH, pattern: NAME_PATTERN },
      additionalProperties: AttributeValue,
      description: "All of them",
    }),
  ),
  annotations,
  parentTaskflowId: Type.Optional(TaskflowId),
  createdAfter: time("Created after"),
  createdBefore: time("Created before"),
  errorType: Type.Optional(Type.Union([errorType, Type.Array(errorType, SEVERAL)])),
  text: Type.Optional(
    Type.String({ minLength: 1, maxLength: MAX_NAME_LENGTH, description: "Part of the name, the id, a tag or an attribute" }),
  ),
};
