/** Params of an action as its handler gets them. */
import type { ActionName, ActionParams, CommandAction } from "../../schemas/actions/index.ts";
import type { Limits } from "../config/limits.ts";
import { isCommandAction, type OwnersCommand, readCommand, readForwarded } from "./commands.ts";
import { type CheckedAction, validateParams } from "./params.ts";

/** Commands are read as requests for the owner; `produce` gets its params unchecked, since an id that is stored already is enough. */
export type ReadParams<A extends ActionName> = A extends CommandAction | "executeCommand"
  ? OwnersCommand
  : A extends "produce"
    ? unknown
    : ActionParams[A];

/** @throws TASKFLOW_VALIDATION_ERROR with all problems */
export function readParams<A extends ActionName>(name: A, params: unknown, limits: Limits): ReadParams<A> {
  return readAny(name, params, limits) as ReadParams<A>;
}

function readAny(name: ActionName, params: unknown, limits: Limits): unknown {
  if (name === "produce") return params;
  if (name === "executeCommand") return readForwarded(params);
  return isCommandAction(name) ? readCommand(name, params, limits) : validateParams(name satisfies CheckedAction, params);
}
