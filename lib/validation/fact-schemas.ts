/**
 * Schemas of the facts in an export. They list all properties of each kind: the compiler reports
 * one that is missing.
 */
import { Type, type TSchema } from "typebox";
import { Name, STAGE_STATUSES, TASKFLOW_STATUSES, TaskflowId } from "../../schemas/common.schema.ts";
import { EffectiveOptionsSchema, TaskOptionsSchema } from "../../schemas/options.schema.ts";
import type { Fact } from "../core/journal/facts.ts";
import {
  anything,
  closed,
  error,
  longText,
  nullable,
  number,
  oneOf,
  oneOfType,
  only,
  positive,
  task,
  text,
  time,
  whenValues,
} from "./fact-values.ts";
import { SNAPSHOT } from "./snapshot-schemas.ts";

type Properties = { [K in Fact["kind"]]: Record<Exclude<keyof Extract<Fact, { kind: K }>, "kind">, TSchema> };

/** The `definition` of `created` is validated like the params of `produce`. */
const PROPERTIES: Properties = {
  created: {
    taskflowId: TaskflowId,
    idBase: Type.String({ pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-$" }),
    defaults: EffectiveOptionsSchema,
    meta: Type.Unsafe<object>({ type: "object" }),
    definition: anything,
    nested: Type.Optional(Type.Unsafe<object>({ type: "object" })),
    copiedAt: Type.Optional(time),
  },
  owned: { fence: positive },
  flow: {
    status: oneOf("RUNNING", "PAUSED", "COMPLETED", "PARTIAL_COMPLETED", "FAILED", "CANCELLED"),
    reason: Type.Optional(longText),
    error: Type.Optional(error),
    output: Type.Optional(anything),
    run: only(true),
  },
  stage: {
    stage: task,
    status: oneOf(...STAGE_STATUSES),
    only: only(true),
    whenValues,
  },
  started: { task, attempt: number, node: Type.Optional(text), process: Type.Optional(text) },
  resolved: { task, params: Type.Optional(anything), taskDetails: Type.Optional(anything) },
  redelivered: { task, node: text, process: Type.Optional(text) },
  withdrawn: { task, attempt: number },
  undelivered: { task },
  accepted: { task, sentAt: time },
  delayed: { task, retryAt: time, error, response: Type.Optional(anything) },
  settled: {
    task,
    status: oneOf("SUCCESS", "FAILED", "CANCELLED", "SKIPPED"),
    response: Type.Optional(anything),
    error: Type.Optional(error),
    blocks: only(true),
    abort: only(true),
    awaits: only(true),
    reason: Type.Optional(longText),
    whenValues,
  },
  reset: { task, inDoubt: Type.Optional(oneOf("verify", "verify-or-fail")), follows: only(true) },
  selected: { task, named: only(true) },
  "late-response": {
    task,
    delivery: positive,
    status: oneOf("SUCCESS", "FAILED"),
    response: Type.Optional(anything),
    error: Type.Optional(error),
  },
  paused: {
    pause: nullable(Type.Object({ reason: nullable(longText), by: nullable(TaskflowId) }, closed)),
  },
  updated: { task, params: Type.Optional(anything), options: Type.Optional(TaskOptionsSchema) },
  annotated: { type: Name("Its type"), value: anything },
  "command-handled": { id: Name("Its id"), answer: Type.Unsafe<object>({ type: "object" }) },
  linked: { task, child: TaskflowId, delivery: positive, isChosen: only(true) },
  "child-ended": { child: TaskflowId, status: nullable(oneOfType(TASKFLOW_STATUSES)), seq: Type.Optional(number) },
  "child-abandoned": { child: TaskflowId },
  revived: { task },
  responded: { task, delivery: positive, response: anything },
  compensating: { tasks: Type.Array(task, { maxItems: 1_000_000 }) },
  compensated: { status: oneOf("COMPLETED", "FAILED") },
  compacted: SNAPSHOT,
};

/** The schema of a whole fact, by kind. */
export const FACT_SCHEMAS: Readonly<Record<string, TSchema>> = Object.fromEntries(
  Object.entries(PROPERTIES).map(([kind, properties]) => [
    kind,
    Type.Object({ kind: Type.Literal(kind), ...(properties as Record<string, TSchema>) }, closed),
  ]),
);
