import type { Limits } from "../config/limits.ts";
import type { TaskType } from "../core/model/task-type.ts";

export type Json = Readonly<Record<string, unknown>>;
/** A path that is computed on demand. */
export type Path = () => string;
export const ROOT: Path = () => "";

/** The service's settings that a definition must comply with. */
export interface DefinitionContext {
  readonly limits: Limits;
  readonly isActionAllowed: (actionName: string) => boolean;
  /** Known task types, by name. */
  readonly taskTypes: ReadonlyMap<string, TaskType>;
}

export interface RuleContext extends DefinitionContext {
  /** Length of the definition's JSON text, an upper bound for every part. */
  readonly textLength: number;
}
