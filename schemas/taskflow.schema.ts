/**
 * A taskflow as `taskflow.produce` takes it. The JSON Schemas and the types are made here together.
 *
 * What the contract knows and this version does not do yet is not in the schemas; `lib/validation` names it as such (`NOT_YET`).
 */
import { Type, type Static } from "typebox";
import {
  ACTION_PART_PATTERN,
  AttributeValue,
  JsonObject,
  MAX_ENTRIES,
  MAX_NAME_LENGTH,
  NAME_PATTERN,
  Name,
  TaskflowId,
} from "./common.schema.ts";
import { OptionsSchema, TaskOptionsSchema } from "./options.schema.ts";

/** Types of tasks that can be run. Each new one adds its details to `TaskSchema`. */
export const SUPPORTED_TASK_TYPES = ["ACTION"] as const;
/** What the contract knows. */
export const ALL_TASK_TYPES: readonly string[] = ["ACTION", "NATS", "CHANNEL", "EVENT", "TASKFLOW", "EXTERNAL", "WAIT"];
/** Properties of the contract that this version refuses by name. */
export const NOT_YET: ReadonlySet<string> = new Set(["needs", "when", "forEach", "annotations"]);

const closed = { additionalProperties: false };

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
  closed,
);
export type ActionDetails = Static<typeof ActionDetailsSchema>;

/** Where values of the task that is undone may stand in the params of its compensation: `"${response.id}"`. */
export const COMPENSATE_ROOTS: readonly string[] = ["params", "response"];

const CompensateSchema = Type.Object(
  {
    taskDetails: ActionDetailsSchema,
    params: Type.Optional(
      JsonObject(
        'Params of the call; "${params.…}" and "${response.…}" are values of the task. Without it: { params, response }',
      ),
    ),
  },
  { ...closed, description: "Undoes the task once it has succeeded" },
);

export const TaskSchema = Type.Object(
  {
    name: Name("Unique in the stage"),
    type: Type.Enum(SUPPORTED_TASK_TYPES, { description: "What the task does" }),
    taskDetails: ActionDetailsSchema,
    params: Type.Optional(JsonObject("Params of the call")),
    meta: Type.Optional(JsonObject("Merged into ctx.meta of the call")),
    options: Type.Optional(TaskOptionsSchema),
    compensate: Type.Optional(CompensateSchema),
  },
  closed,
);
/** A task as `produce` takes it. */
export type TaskDefinition = Static<typeof TaskSchema>;

const stageHead = { name: Name("Unique in the taskflow"), options: Type.Optional(TaskOptionsSchema) };

export const StageSchema = Type.Object({ ...stageHead, tasks: Type.Array(TaskSchema, { minItems: 1 }) }, closed);
/** A stage as `produce` takes it. */
export type StageDefinition = Static<typeof StageSchema>;

const taskflowHead = {
  taskflowId: Type.Optional(TaskflowId),
  name: Type.Optional(Name("What listTaskflows finds it by")),
  options: Type.Optional(OptionsSchema),
  context: Type.Optional(JsonObject("Free data about the run")),
  tags: Type.Optional(Type.Array(Name("A tag"), { maxItems: MAX_ENTRIES })),
  attributes: Type.Optional(
    Type.Unsafe<Record<string, string | number | boolean>>({
      type: "object",
      maxProperties: MAX_ENTRIES,
      propertyNames: { minLength: 1, maxLength: MAX_NAME_LENGTH, pattern: NAME_PATTERN },
      additionalProperties: AttributeValue,
    }),
  ),
  tenant: Type.Optional(Name("Whose it is")),
  detached: Type.Optional(Type.Boolean({ description: "Produced in a handler: not nested below the handler's task" })),
};

/** The form that is stored and run. */
export const TaskflowSchema = Type.Object({ ...taskflowHead, stages: Type.Array(StageSchema, { minItems: 1 }) }, closed);
export type TaskflowDefinition = Static<typeof TaskflowSchema>;

/** The short form: one stage named "main". */
export const ShortTaskflowSchema = Type.Object({ ...taskflowHead, tasks: Type.Array(TaskSchema, { minItems: 1 }) }, closed);
export type ShortTaskflow = Static<typeof ShortTaskflowSchema>;

/** What produce takes. */
export type Taskflow = TaskflowDefinition | ShortTaskflow;

/** The levels apart from those below them, so that a taskflow of any size is looked at piece by piece when its problems are listed. */
export const TaskflowHeadSchema = Type.Object({ ...taskflowHead, stages: Type.Array(Type.Unknown(), { minItems: 1 }) }, closed);
export const StageHeadSchema = Type.Object({ ...stageHead, tasks: Type.Array(Type.Unknown(), { minItems: 1 }) }, closed);
