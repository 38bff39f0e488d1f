/** The task types of the package, and with a user's own. */
import { type BuiltInTaskDetails, type BuiltInTaskType, RESERVED_TASK_TYPES } from "../../schemas/task-types/index.ts";
import type { TaskType } from "../core/model/task-type.ts";
import type { SendingTaskType } from "../ports/task-types.ts";
import { describeValue } from "../util/describe-value.ts";
import { action } from "./action/index.ts";

type TypesByName = ReadonlyMap<string, TaskType | SendingTaskType>;

/** A line for each schema of `schemas/task-types/`: a type that is missing here does not compile. */
const BUILT_IN: { readonly [T in BuiltInTaskType]: TaskType<BuiltInTaskDetails[T]> } = {
  ACTION: action,
};

export const BUILT_IN_TASK_TYPES: TypesByName = new Map(Object.entries(BUILT_IN));

const NAME = /^[A-Z][A-Z0-9_]{0,63}$/;

/** @throws RangeError for a name that cannot be a type's, or is taken */
export function taskTypesWith(own: readonly (TaskType | SendingTaskType)[] = []): TypesByName {
  if (own.length === 0) return BUILT_IN_TASK_TYPES;
  const types = new Map(BUILT_IN_TASK_TYPES);
  own.forEach(({ name }, index) => {
    const place = `taskTypes[${index}].name`;
    if (typeof name !== "string" || !NAME.test(name))
      throw new RangeError(`${place} must be 1 to 64 of A-Z 0-9 _, beginning with a letter, got ${describeValue(name)}.`);
    if (RESERVED_TASK_TYPES.includes(name))
      throw new RangeError(`${place} must not be ${name}, a type of the package: give another name.`);
    if (types.has(name)) throw new RangeError(`${place} must be unique, got ${name} a second time.`);
    types.set(name, own[index] as TaskType);
  });
  return types;
}
