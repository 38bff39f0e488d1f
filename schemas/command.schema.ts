/**
 * Commands as coordinators forward them (`taskflow.executeCommand`). The action that a caller calls
 * has validated its command before.
 */
import { Type, type Static } from "typebox";
import {
  type JsonText,
  MAX_ID_LENGTH,
  MAX_REASON_LENGTH,
  Name,
  TASKFLOW_STATUSES,
  TaskflowId,
  WELL_FORMED_PATTERN,
} from "./common.schema.ts";
import { TaskOptionsSchema } from "./options.schema.ts";

const closed = { additionalProperties: false };
const text = Type.String({ maxLength: 2 * MAX_REASON_LENGTH });
const optionalText = Type.Optional(text);
const flag = Type.Optional(Type.Boolean());
const task = Name("Id or name of a task");
const count = Type.Integer({ minimum: 0 });
const status = Type.Enum(TASKFLOW_STATUSES);
const kind = <K extends string>(name: K) => Type.Literal(name);

export const ExpectSchema = Type.Object(
  {
    taskId: Type.Optional(task),
    attempt: Type.Optional(
      Type.Integer({ minimum: 0, description: "Number of the latest attempt: of `taskId`, else of the command's task" }),
    ),
    revision: Type.Optional(Type.Integer({ minimum: 1, description: "`revision` of the details" })),
  },
  { ...closed, description: "The state on which the decision was based; if it has changed, TASKFLOW_CONFLICT" },
);
/**
 * The state on which the decision was based: every given field must still match, else
 * `TASKFLOW_CONFLICT`.
 */
export type Expect = Readonly<Static<typeof ExpectSchema>>;

export const CommandIdSchema = Type.String({
  minLength: 1,
  maxLength: MAX_ID_LENGTH,
  pattern: WELL_FORMED_PATTERN,
  description: "A repeated commandId gets the first answer and does nothing",
});

const SelectionSchema = Type.Object(
  { stage: optionalText, tasks: Type.Optional(Type.Unsafe<readonly string[]>(Type.Array(text))) },
  closed,
);
/**
 * Stages and tasks are given by id or by name. Without `stage`: tasks of any stage; without
 * `tasks`: the whole stage.
 */
export type Selection = Readonly<Static<typeof SelectionSchema>>;

const CancelSchema = Type.Object({ kind: kind("cancel"), reason: optionalText, compensate: flag, by: optionalText }, closed);
export type CancelCommand = Readonly<Static<typeof CancelSchema>>;

const RetrySchema = Type.Object(
  {
    kind: kind("retry"),
    selection: Type.Optional(Type.Unsafe<readonly Selection[]>(Type.Array(SelectionSchema))),
    mode: Type.Optional(Type.Enum(["all", "failed"])),
    force: flag,
    cascade: flag,
    dryRun: flag,
  },
  closed,
);
/** Without a selection, `mode` applies to the whole taskflow. */
export type RetryCommand = Readonly<Static<typeof RetrySchema>>;

const PauseSchema = Type.Object({ kind: kind("pause"), reason: optionalText, by: optionalText }, closed);
/** `by`: the ancestor that passes its pause on; absent for a person's own pause. */
export type PauseCommand = Readonly<Static<typeof PauseSchema>>;

const ResumeSchema = Type.Object({ kind: kind("resume"), reason: optionalText, by: optionalText }, closed);
/** `by`: the ancestor that resumes; this ends only the pause it passed on. */
export type ResumeCommand = Readonly<Static<typeof ResumeSchema>>;

const CancelTaskSchema = Type.Object({ kind: kind("cancelTask"), task }, closed);
export type CancelTaskCommand = Readonly<Static<typeof CancelTaskSchema>>;

const ResolveTaskSchema = Type.Object(
  {
    kind: kind("resolveTask"),
    task,
    outcome: Type.Enum(["SUCCESS", "SKIPPED"]),
    response: Type.Optional(Type.Unsafe<JsonText>(Type.String({ description: "JSON text" }))),
    reason: text,
  },
  closed,
);
export type ResolveTaskCommand = Readonly<Static<typeof ResolveTaskSchema>>;

const UpdateTaskSchema = Type.Object(
  { kind: kind("updateTask"), task, params: Type.Optional(Type.Unknown()), options: Type.Optional(TaskOptionsSchema) },
  closed,
);
export type UpdateTaskCommand = Readonly<Static<typeof UpdateTaskSchema>>;

const AnnotateSchema = Type.Object(
  { kind: kind("annotate"), type: Name("Type of the annotation"), value: Type.Unknown() },
  closed,
);
export type AnnotateCommand = Readonly<Static<typeof AnnotateSchema>>;

const LinkSchema = Type.Object(
  {
    kind: kind("link"),
    taskId: text,
    attempt: count,
    delivery: count,
    child: TaskflowId,
    isChosen: Type.Boolean(),
    maxDepth: count,
    ended: Type.Optional(Type.Object({ status, seq: count }, closed)),
  },
  closed,
);
/**
 * Sent by a coordinator: the handler of a delivery produces a nested taskflow. `isChosen`: the
 * producer chose the child's id. `maxDepth`: the deepest nesting allowed. `ended`: the child had
 * already ended and is adopted with that status.
 */
export type LinkCommand = Readonly<Static<typeof LinkSchema>>;

const JoinSchema = Type.Object(
  { kind: kind("join"), child: TaskflowId, status: Type.Union([status, Type.Null()]), seq: Type.Optional(count) },
  closed,
);
/**
 * Sent by a coordinator: a nested taskflow has ended, runs again (an unfinished status), or was
 * never stored (null). `seq` is the child's at that moment: the command with the higher one counts,
 * in whatever order they arrive.
 */
export type JoinCommand = Readonly<Static<typeof JoinSchema>>;

const CommandSchema = Type.Union([
  CancelSchema,
  RetrySchema,
  PauseSchema,
  ResumeSchema,
  CancelTaskSchema,
  ResolveTaskSchema,
  UpdateTaskSchema,
  AnnotateSchema,
  LinkSchema,
  JoinSchema,
]);
export type Command = Readonly<Static<typeof CommandSchema>>;

export const CommandRequestSchema = Type.Object(
  { id: Type.Optional(CommandIdSchema), expect: Type.Optional(ExpectSchema), command: CommandSchema },
  closed,
);
/** A command with its envelope. A repeated `id` gets the first answer and does nothing. */
export type CommandRequest = Readonly<Static<typeof CommandRequestSchema>>;

const RefusalSchema = Type.Object(
  { ok: Type.Literal(false), type: text, message: Type.String(), data: Type.Optional(Type.Unknown()) },
  closed,
);
/** The reason for refusing a command: an error of the catalogue, as data. */
export type Refusal = Readonly<Static<typeof RefusalSchema>>;

export const CommandResultSchema = Type.Union([
  Type.Object({ ok: Type.Literal(true), data: Type.Unsafe<Readonly<Record<string, unknown>>>({ type: "object" }) }, closed),
  RefusalSchema,
]);
/** `data`: the action's answer, plain JSON. */
export type CommandResult = Readonly<Static<typeof CommandResultSchema>>;
