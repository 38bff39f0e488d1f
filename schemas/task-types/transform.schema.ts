/** `taskDetails` of a task that computes its response. */
import { Type, type Static } from "typebox";

export const TransformDetailsSchema = Type.Object(
  { value: Type.Unknown({ description: "The response: any JSON value, with templates" }) },
  { additionalProperties: false },
);
export type TransformDetails = Static<typeof TransformDetailsSchema>;
