/**
 * A taskflow as `taskflow.produce` accepts it: JSON Schemas, and the types that derive from them.
 *
 * Planned properties that this version does not support yet (`NOT_YET`) are not in the schemas;
 * `lib/validation` reports them by name.
 */
import { Type, type Static } from "typebox";
import { AttributeValue, JsonObject, MAX_ENTRIES, MAX_NAME_LENGTH, NAME_PATTERN, Name, TaskflowId } from "./common.schema.ts";
import { OptionsSchema, TaskOptionsSchema } from "./options.schema.ts";
import { TASK_DETAILS_SCHEMAS, type TaskDetailsByType } from "./task-types/index.ts";

/** Planned properties that this version refuses by name. */
export const NOT_YET: ReadonlySet<string> = new Set(["needs", "forEach", "join", "repeat", "annotate", "annotations"]);

const closed = { additionalProperties: false };

/**
 * Roots of templates in the params of a compensation, such as `"${response.id}"`: values of the
 * task it undoes.
 */
export const COMPENSATE_ROOTS: readonly string[] = ["params", "response"];

/** Validated by the task's type: see `task-types/`. */
const taskDetails = Type.Unknown({ description: "Defined by the type" });

const CompensateSchema = Type.Object(
  {
    taskDetails,
    params: Type.Optional(
      JsonObject(
        'Params of the call; "${params.…}" and "${response.…}" are values of the task. Without it: { params, response }',
      ),
    ),
  },
  { ...closed, description: "Undoes the task once it has succeeded" },
);

const Condition = (description: string) => Type.String({ minLength: 1, description });

/** A task of one of the given types. */
export const taskSchema = (types: readonly string[]) =>
  Type.Object(
    {
      name: Name("Unique in the stage"),
      type: Type.Enum([...types], { description: "What the task does" }),
      taskDetails,
      params: Type.Optional(JsonObject("Params of the call")),
      meta: Type.Optional(JsonObject("Merged into ctx.meta of the call")),
      options: Type.Optional(TaskOptionsSchema),
      when: Type.Optional(Condition("Expression: if it is false, the task is SKIPPED")),
      compensate: Type.Optional(CompensateSchema),
    },
    closed,
  );

type OfType<Type extends keyof TaskDetailsByType> = Omit<Static<ReturnType<typeof taskSchema>>, "type" | "taskDetails"> & {
  type: Type;
  taskDetails: TaskDetailsByType[Type];
  /** Undoes the task once it has succeeded, as a task of the same type. */
  compensate?: { taskDetails: TaskDetailsByType[Type] };
};
/** A task as `produce` accepts it, with the details of its type. */
export type TaskDefinition = { [Type in keyof TaskDetailsByType]: OfType<Type> }[keyof TaskDetailsByType];

const stageHead = {
  name: Name("Unique in the taskflow"),
  options: Type.Optional(TaskOptionsSchema),
  when: Type.Optional(Condition("Expression: if it is false, the stage is SKIPPED")),
};

const taskflowHead = {
  taskflowId: Type.Optional(TaskflowId),
  name: Type.Optional(Name("A name for people, which listTaskflows can filter by")),
  options: Type.Optional(OptionsSchema),
  context: Type.Optional(JsonObject("Free data about the run")),
  tags: Type.Optional(Type.Array(Name("A tag"), { maxItems: MAX_ENTRIES, description: "For search" })),
  attributes: Type.Optional(
    Type.Unsafe<Record<string, string | number | boolean>>({
      type: "object",
      maxProperties: MAX_ENTRIES,
      propertyNames: { minLength: 1, maxLength: MAX_NAME_LENGTH, pattern: NAME_PATTERN },
      additionalProperties: AttributeValue,
      description: "For search",
    }),
  ),
  tenant: Type.Optional(Name("The tenant it belongs to")),
  output: Type.Optional(Type.Unknown({ description: "The result: any JSON value, with templates" })),
  detached: Type.Optional(Type.Boolean({ description: "Produced in a handler: not nested below the handler's task" })),
};

/** The stored form, with tasks of the given types. */
export function taskflowSchema(types: readonly string[]) {
  const stage = Type.Object({ ...stageHead, tasks: Type.Array(taskSchema(types), { minItems: 1 }) }, closed);
  return Type.Object({ ...taskflowHead, stages: Type.Array(stage, { minItems: 1 }) }, closed);
}

/**
 * Each level without the levels below it, so that the problems of a taskflow of any size are found
 * piece by piece.
 */
export const TaskflowHeadSchema = Type.Object({ ...taskflowHead, stages: Type.Array(Type.Unknown(), { minItems: 1 }) }, closed);
export const StageHeadSchema = Type.Object({ ...stageHead, tasks: Type.Array(Type.Unknown(), { minItems: 1 }) }, closed);

/** A stage as `produce` accepts it. */
export type StageDefinition = Omit<Static<typeof StageHeadSchema>, "tasks"> & { tasks: TaskDefinition[] };
type TaskflowHead = Omit<Static<typeof TaskflowHeadSchema>, "stages">;
export type TaskflowDefinition = TaskflowHead & { stages: StageDefinition[] };
/** The short form: one stage named "main". */
export type ShortTaskflow = TaskflowHead & { tasks: TaskDefinition[] };
/** A taskflow as `produce` accepts it, in either form. */
export type Taskflow = TaskflowDefinition | ShortTaskflow;

const builtIn = taskSchema(Object.keys(TASK_DETAILS_SCHEMAS));
/**
 * Both forms in one, for the documentation: validation uses the service's task types and their
 * schemas.
 */
export const ProducedTaskflowSchema = Type.Unsafe<Taskflow>(
  Type.Object(
    {
      ...taskflowHead,
      stages: Type.Optional(
        Type.Array(Type.Object({ ...stageHead, tasks: Type.Array(builtIn) }, closed), { description: "Stages, in their order" }),
      ),
      tasks: Type.Optional(Type.Array(builtIn, { description: 'In place of `stages`: the tasks of one stage named "main"' })),
    },
    closed,
  ),
);
