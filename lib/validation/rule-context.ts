import type { Limits } from "../config/limits.ts";

export type Json = Readonly<Record<string, unknown>>;
/** A path that is made when it is read. */
export type Path = () => string;
export const ROOT: Path = () => "";

export interface RuleContext {
  readonly limits: Limits;
  readonly isActionAllowed: (actionName: string) => boolean;
  /** Of the definition's JSON text: no part of it is longer. */
  readonly textLength: number;
}

export function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
