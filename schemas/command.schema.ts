/** Orders as coordinators pass them on to one another (`taskflow.executeCommand`). What people give is checked before, by the action that they called. */
import { Type, type Static } from "typebox";
import { MAX_ID_LENGTH, MAX_REASON_LENGTH, Name, TASKFLOW_STATUSES, TaskflowId } from "./common.schema.ts";
import { TaskOptionsSchema } from "./options.schema.ts";

const closed = { additionalProperties: false };
const text = Type.String({ maxLength: 2 * MAX_REASON_LENGTH });
const optionalText = Type.Optional(text);
const flag = Type.Optional(Type.Boolean());
const task = Name("Id or name of a task");
const count = Type.Integer({ minimum: 0 });
const status = Type.Enum(TASKFLOW_STATUSES);
const kind = <K extends string>(name: K) => Type.Literal(name);

/** The state that the decider saw. */
export const ExpectSchema = Type.Object(
  {
    taskId: Type.Optional(task),
    attempt: Type.Optional(Type.Integer({ minimum: 0, description: "Number of the task's latest attempt" })),
    revision: Type.Optional(Type.Integer({ minimum: 1, description: "`revision` of the details" })),
  },
  { ...closed, description: "Valid only for the state that the decider saw; else TASKFLOW_CONFLICT" },
);

export const CommandIdSchema = Type.String({
  minLength: 1,
  maxLength: MAX_ID_LENGTH,
  description: "The same one again gets the first answer and does nothing",
});

const CommandSchema = Type.Union([
  Type.Object({ kind: kind("cancel"), reason: optionalText, compensate: flag, by: optionalText }, closed),
  Type.Object(
    {
      kind: kind("retry"),
      selection: Type.Optional(
        Type.Array(Type.Object({ stage: Type.Optional(text), tasks: Type.Optional(Type.Array(text)) }, closed)),
      ),
      mode: Type.Optional(Type.Enum(["all", "failed"])),
      force: flag,
      cascade: flag,
      dryRun: flag,
    },
    closed,
  ),
  Type.Object({ kind: kind("pause"), reason: optionalText, by: optionalText }, closed),
  Type.Object({ kind: kind("resume"), reason: optionalText, by: optionalText }, closed),
  Type.Object({ kind: kind("cancelTask"), task }, closed),
  Type.Object(
    {
      kind: kind("resolveTask"),
      task,
      outcome: Type.Enum(["SUCCESS", "SKIPPED"]),
      response: Type.Optional(Type.String({ description: "JSON text" })),
      reason: text,
    },
    closed,
  ),
  Type.Object(
    { kind: kind("updateTask"), task, params: Type.Optional(Type.Unknown()), options: Type.Optional(TaskOptionsSchema) },
    closed,
  ),
  Type.Object(
    {
      kind: kind("link"),
      taskId: text,
      attempt: count,
      child: TaskflowId,
      isChosen: Type.Boolean(),
      maxDepth: count,
      ended: Type.Optional(Type.Object({ status, seq: count }, closed)),
    },
    closed,
  ),
  Type.Object(
    { kind: kind("join"), child: TaskflowId, status: Type.Union([status, Type.Null()]), seq: Type.Optional(count) },
    closed,
  ),
  Type.Object({ kind: kind("annotate"), type: Name("What it is"), value: Type.Unknown() }, closed),
]);

export const OrderSchema = Type.Object(
  { id: Type.Optional(CommandIdSchema), expect: Type.Optional(ExpectSchema), command: CommandSchema },
  closed,
);

export const ForwardedSchema = Type.Object({ taskflowId: TaskflowId, order: OrderSchema }, closed);
export type Forwarded = Static<typeof ForwardedSchema>;
