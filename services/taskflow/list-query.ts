import type { TaskflowQuery } from "../../lib/ports/store.ts";
import { readAnnotationFilter } from "../../lib/validation/index.ts";
import type { ActionParams } from "../../schemas/actions/index.ts";
import { DEFAULT_LIST_SIZE } from "../../schemas/actions/taskflows.ts";
import type { Engine } from "./engine.ts";

const asArray = <T>(value: T | readonly T[] | undefined): readonly T[] | undefined =>
  value === undefined ? undefined : Array.isArray(value) ? (value as readonly T[]) : [value as T];

/** What is looked for, as the store takes it. */
export function listQuery({ limits }: Pick<Engine, "limits">, params: ActionParams["listTaskflows"]): TaskflowQuery {
  const { status, errorType, annotations, pageSize = DEFAULT_LIST_SIZE, ...rest } = params;
  const statuses = asArray(status);
  const errorTypes = asArray(errorType);
  return {
    ...rest,
    pageSize,
    ...(statuses ? { status: statuses } : {}),
    ...(errorTypes ? { errorType: errorTypes } : {}),
    ...(annotations ? { annotations: readAnnotationFilter(annotations, limits) } : {}),
  };
}
