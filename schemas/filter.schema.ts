/** Filters of `listTaskflows` and `bulk`. A taskflow must match all given filters. */
import { Type } from "typebox";
import {
  AttributeValue,
  MAX_NAME_LENGTH,
  NAME_PATTERN,
  Name,
  TASKFLOW_STATUSES,
  TaskflowId,
  WELL_FORMED_PATTERN,
} from "./common.schema.ts";

/** For a filter that takes one value or an array: one of the values must match. */
export const SEVERAL = { minItems: 1, maxItems: 100 };
const taskflowStatus = Type.Enum(TASKFLOW_STATUSES);
const errorType = Name("Type of an error");
const time = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, description: `${description}, epoch milliseconds` }));

const annotations = Type.Optional(
  Type.Object(
    { type: Name("Type of the annotation"), value: Type.Optional(Type.Unknown({ description: "Its value; absent: any" })) },
    { additionalProperties: false, description: "Has such an annotation" },
  ),
);

export const FILTER = {
  status: Type.Optional(Type.Union([taskflowStatus, Type.Array(taskflowStatus, SEVERAL)])),
  name: Type.Optional(Name("The whole name")),
  tenant: Type.Optional(Name("The tenant they belong to")),
  template: Type.Optional(Name("Name of the template they come from")),
  tags: Type.Optional(Type.Array(Name("A tag"), { maxItems: 50, description: "Has all of these tags" })),
  attributes: Type.Optional(
    Type.Unsafe<Record<string, string | number | boolean>>({
      type: "object",
      maxProperties: 50,
      propertyNames: { minLength: 1, maxLength: MAX_NAME_LENGTH, pattern: NAME_PATTERN },
      additionalProperties: AttributeValue,
      description: "Has all of these attributes",
    }),
  ),
  annotations,
  parentTaskflowId: Type.Optional(TaskflowId),
  createdAfter: time("Created after"),
  createdBefore: time("Created before"),
  errorType: Type.Optional(Type.Union([errorType, Type.Array(errorType, SEVERAL)])),
  text: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: MAX_NAME_LENGTH,
      pattern: WELL_FORMED_PATTERN,
      description: "Part of the name, the id, a tag or an attribute",
    }),
  ),
};
