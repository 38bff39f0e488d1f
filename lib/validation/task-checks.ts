/**
 * The checks of a definition that depend on the task types: compiled once for each set of types.
 */
import type { ValidateFunction } from "ajv";
import { taskflowSchema, taskSchema } from "../../schemas/taskflow.schema.ts";
import type { TaskType } from "../core/model/task-type.ts";
import { compileFast, compileThorough } from "./ajv.ts";

export interface TaskChecks {
  readonly isTaskflow: ValidateFunction;
  /** Of a task, without its details. */
  readonly schema: object;
  readonly isTask: ValidateFunction;
  readonly taskErrors: () => ValidateFunction;
  /** By the type's name. */
  readonly details: ReadonlyMap<string, DetailsCheck>;
}

export interface DetailsCheck {
  readonly type: TaskType;
  readonly isValid: ValidateFunction;
  readonly errors: () => ValidateFunction;
}

type TypesByName = ReadonlyMap<string, TaskType>;

const compiled = new WeakMap<TypesByName, TaskChecks>();

/** @throws RangeError if the schema of a type is not a JSON Schema */
export function taskChecks(types: TypesByName): TaskChecks {
  let checks = compiled.get(types);
  if (!checks) compiled.set(types, (checks = compileChecks(types)));
  return checks;
}

function compileChecks(types: TypesByName): TaskChecks {
  const names = Array.from(types.keys());
  const schema = taskSchema(names);
  const details = new Map<string, DetailsCheck>();
  for (const [name, type] of types)
    details.set(name, { type, isValid: compileDetails(type), errors: compileThorough(type.schema) });
  return {
    isTaskflow: compileFast(taskflowSchema(names)),
    schema,
    isTask: compileFast(schema),
    taskErrors: compileThorough(schema),
    details,
  };
}

function compileDetails({ name, schema }: TaskType): ValidateFunction {
  try {
    return compileFast(schema);
  } catch (error) {
    throw new RangeError(`taskTypes: the schema of ${name} must be a JSON Schema, got an error: ${(error as Error).message}`);
  }
}
