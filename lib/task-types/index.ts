/** The built-in task types, and the set of types of a service that has types of its own. */
import { type BuiltInTaskDetails, type BuiltInTaskType, RESERVED_TASK_TYPES } from "../../schemas/task-types/index.ts";
import type { TaskType } from "../core/model/task-type.ts";
import type { SendingTaskType } from "../ports/task-types.ts";
import { describeValue } from "../util/describe-value.ts";
import { action } from "./action/index.ts";
import { transform } from "./transform/index.ts";

type TypesByName = ReadonlyMap<string, TaskType | SendingTaskType>;

/** One line for each schema in `schemas/task-types/`. A missing line does not compile. */
const BUILT_IN: { readonly [T in BuiltInTaskType]: TaskType<BuiltInTaskDetails[T]> } = {
  ACTION: action,
  TRANSFORM: transform,
};

export const BUILT_IN_TASK_TYPES: TypesByName = new Map(Object.entries(BUILT_IN));

const NAME = /^[A-Z][A-Z0-9_]{0,63}$/;

/** @throws RangeError for a name that is invalid or taken */
export function taskTypesWith(own: readonly (TaskType | SendingTaskType)[] = []): TypesByName {
  if (own.length === 0) return BUILT_IN_TASK_TYPES;
  const types = new Map(BUILT_IN_TASK_TYPES);
  own.forEach(({ name }, index) => {
    const place = `taskTypes[${index}].name`;
    if (typeof name !== "string" || !NAME.test(name))
      throw new RangeError(
        `${place} must be 1 to 64 characters of A-Z 0-9 _, starting with a letter, got ${describeValue(name)}.`,
      );
    if (RESERVED_TASK_TYPES.includes(name))
      throw new RangeError(`${place} must not be ${name}, a built-in type: choose another name.`);
    if (types.has(name)) throw new RangeError(`${place} must be unique, got ${name} a second time.`);
    types.set(name, own[index] as TaskType);
  });
  return types;
}
