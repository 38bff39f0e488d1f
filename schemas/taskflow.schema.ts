/**
 * A taskflow as `taskflow.produce` takes it. The JSON Schemas and the types are made here together.
 *
 * What the contract knows and this version does not do yet is not in the schemas; `lib/validation` names it as such (`NOT_YET`).
 */
import { Type, type Static } from "typebox";
import { AttributeValue, JsonObject, MAX_ENTRIES, MAX_NAME_LENGTH, NAME_PATTERN, Name, TaskflowId } from "./common.schema.ts";
import { OptionsSchema, TaskOptionsSchema } from "./options.schema.ts";
import { TASK_DETAILS_SCHEMAS, type TaskDetailsByType } from "./task-types/index.ts";

/** Properties of the contract that this version refuses by name. */
export const NOT_YET: ReadonlySet<string> = new Set(["needs", "when", "forEach", "annotations"]);

const closed = { additionalProperties: false };

/** Where values of the task that is undone may stand in the params of its compensation: `"${response.id}"`. */
export const COMPENSATE_ROOTS: readonly string[] = ["params", "response"];

/** Checked by the task's type: see `task-types/`. */
const taskDetails = Type.Unknown({ description: "What the type asks for" });

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
/** A task as `produce` takes it, with the details that its type asks for. */
export type TaskDefinition = { [Type in keyof TaskDetailsByType]: OfType<Type> }[keyof TaskDetailsByType];

const stageHead = { name: Name("Unique in the taskflow"), options: Type.Optional(TaskOptionsSchema) };

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

/** The form that is stored and run, of tasks of the given types. */
export function taskflowSchema(types: readonly string[]) {
  const stage = Type.Object({ ...stageHead, tasks: Type.Array(taskSchema(types), { minItems: 1 }) }, closed);
  return Type.Object({ ...taskflowHead, stages: Type.Array(stage, { minItems: 1 }) }, closed);
}

/** The levels apart from those below them, so that a taskflow of any size is looked at piece by piece when its problems are listed. */
export const TaskflowHeadSchema = Type.Object({ ...taskflowHead, stages: Type.Array(Type.Unknown(), { minItems: 1 }) }, closed);
export const StageHeadSchema = Type.Object({ ...stageHead, tasks: Type.Array(Type.Unknown(), { minItems: 1 }) }, closed);

/** A stage as `produce` takes it. */
export type StageDefinition = Omit<Static<typeof StageHeadSchema>, "tasks"> & { tasks: TaskDefinition[] };
type TaskflowHead = Omit<Static<typeof TaskflowHeadSchema>, "stages">;
export type TaskflowDefinition = TaskflowHead & { stages: StageDefinition[] };
/** The short form: one stage named "main". */
export type ShortTaskflow = TaskflowHead & { tasks: TaskDefinition[] };
/** What produce takes. */
export type Taskflow = TaskflowDefinition | ShortTaskflow;

const builtIn = taskSchema(Object.keys(TASK_DETAILS_SCHEMAS));
/** Both forms in one, for docs: the service checks its own types of tasks, and each type its `taskDetails`. */
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
