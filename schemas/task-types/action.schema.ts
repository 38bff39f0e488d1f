/** `taskDetails` of a task that calls a Moleculer action. */
import { Type, type Static } from "typebox";
import { ACTION_PART_PATTERN, MAX_NAME_LENGTH } from "../common.schema.ts";

const ActionPart = (description: string) =>
  Type.String({ maxLength: MAX_NAME_LENGTH, pattern: ACTION_PART_PATTERN, description });

export const ActionDetailsSchema = Type.Object(
  {
    serviceId: ActionPart("Name of the service"),
    actionName: ActionPart("Name of its action"),
    version: Type.Optional(
      Type.Unsafe<number | string>({
        type: ["number", "string"],
        minimum: 0,
        maximum: 1_000_000,
        maxLength: 64,
        pattern: ACTION_PART_PATTERN,
        description: 'As in Moleculer: 2 calls "v2.<service>", "staging" calls "staging.<service>"',
      }),
    ),
  },
  { additionalProperties: false },
);
export type ActionDetails = Static<typeof ActionDetailsSchema>;
