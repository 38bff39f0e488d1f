/** The params of an action, as its handler receives them. */
import { type ActionName, type ActionParams, ACTIONS, type CommandAction } from "../../schemas/actions/index.ts";
import type { Limits } from "../config/limits.ts";
import { isTaskflowError } from "../errors/errors.ts";
import { validationError } from "../errors/validation-error.ts";
import { isCommandAction, type OwnersCommand, readCommand, readForwarded } from "./commands.ts";
import { encodeJson } from "./encode.ts";
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
  if (name === "executeCommand") return readLarge(name, params, readForwarded);
  if (isCommandAction(name)) return readCommand(name, params, limits);
  const { kind } = ACTIONS[name];
  if (kind === "internal" || name === "importTaskflow") return readLarge(name, params, (given) => validateParams(name, given));
  return validateParams(name, asJson(name, params));
}

/** As the bus would deliver them: callers of this process hand in functions, getters and cycles. */
function asJson(name: CheckedAction, params: unknown): unknown {
  const encoded = encodeJson(params ?? {}, Number.MAX_SAFE_INTEGER);
  if (encoded.ok) return encoded.value;
  throw validationError(`The params of taskflow.${name} are not valid`, [encoded.problem]);
}

/** Encodes only what cannot be read as it is: these come over the bus, and may have many MiB. */
function readLarge(name: CheckedAction, params: unknown, read: (given: unknown) => unknown): unknown {
  try {
    return read(params);
  } catch (error) {
    if (isTaskflowError(error)) throw error;
    return read(asJson(name, params));
  }
}
