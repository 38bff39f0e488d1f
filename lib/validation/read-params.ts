/** The params of an action, as its handler receives them. */
import type { ActionName, ActionParams, CommandAction } from "../../schemas/actions/index.ts";
import type { Limits } from "../config/limits.ts";
import { isCommandAction, type OwnersCommand, readCommand, readForwarded } from "./commands.ts";
import { type CheckedAction, validateParams } from "./params.ts";

/**
 * Commands become requests for the owner. `produce` receives its params unvalidated, because for an
 * id that is already stored the rest does not matter.
 */
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
