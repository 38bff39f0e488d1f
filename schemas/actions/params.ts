/** Params that several actions share. */
import { Type } from "typebox";
import { MAX_PAGE_SIZE, MAX_REASON_LENGTH, WELL_FORMED_PATTERN, Name, TaskflowId } from "../common.schema.ts";
import { CommandIdSchema, ExpectSchema } from "../command.schema.ts";

/** For objects that accept no other properties. */
export const closed = { additionalProperties: false };

export const taskflowId = TaskflowId;
export const taskId = Name("Id or name of a task");
export const stageId = Name("Id or name of a stage");

export const cursor = Type.Optional(
  Type.String({ minLength: 1, maxLength: 1_024, description: "`nextCursor` of the previous page" }),
);
export const pageSize = (byDefault: number) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_PAGE_SIZE, default: byDefault, description: "Rows of a page" }));
export const nextCursor = Type.Optional(Type.String({ description: "Start of the next page; absent on the last one" }));

/** The part of a tree to return. */
export const shown = {
  depth: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000, description: "Levels of nested taskflows; absent: all" })),
  stages: Type.Optional(Type.Array(stageId, { maxItems: 10_000, description: "Stages to include; absent: all" })),
};

/** Params of every command. */
export const command = { taskflowId, expect: Type.Optional(ExpectSchema), commandId: Type.Optional(CommandIdSchema) };

export const Reason = (description: string) =>
  Type.String({ minLength: 1, maxLength: MAX_REASON_LENGTH, pattern: WELL_FORMED_PATTERN, description });
