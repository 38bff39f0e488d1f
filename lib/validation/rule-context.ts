import type { Limits } from "../config/limits.ts";
import type { TaskType } from "../core/model/task-type.ts";

export type Json = Readonly<Record<string, unknown>>;
/** A path that is made when it is read. */
export type Path = () => string;
export const ROOT: Path = () => "";

/** What a definition is checked against: settings of the service. */
export interface DefinitionContext {
  readonly limits: Limits;
  readonly isActionAllowed: (actionName: string) => boolean;
  /** The types that its tasks may be of, by name. */
  readonly taskTypes: ReadonlyMap<string, TaskType>;
}

export interface RuleContext extends DefinitionContext {
  /** Of the definition's JSON text: no part of it is longer. */
  readonly textLength: number;
}
