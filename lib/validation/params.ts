/** Validates the params of all actions but `produce` against the schemas of the catalogue. */
import type { ValidateFunction } from "ajv";
import { ACTIONS, type ActionName, type ActionParams } from "../../schemas/actions/index.ts";
import { validationError } from "../errors/validation-error.ts";
import type { Problem } from "../util/problem.ts";
import { compileFast, compileThorough } from "./ajv.ts";
import { ProblemList } from "./problems.ts";
import { describeValue } from "../util/describe-value.ts";
import { addSchemaProblems } from "./schema-problems.ts";

/** All actions but `produce`, whose params are validated piece by piece (`definition.ts`). */
export type CheckedAction = Exclude<ActionName, "produce">;

interface Validators {
  readonly schema: object;
  readonly isValid: ValidateFunction;
  readonly errors: () => ValidateFunction;
}

const compiled = new Map<string, Validators>();
for (const [name, { params: schema }] of Object.entries(ACTIONS)) {
  if (name !== "produce") compiled.set(name, { schema, isValid: compileFast(schema), errors: compileThorough(schema) });
}

/**
 * Returns the params, typed, neither copied nor changed; `{}` if they are absent.
 * @throws TASKFLOW_VALIDATION_ERROR with all problems
 */
export function validateParams<A extends CheckedAction>(actionName: A, params: unknown): ActionParams[A] {
  const validators = compiled.get(actionName);
  if (validators === undefined) throw new RangeError(`The action must be one of the catalogue, got "${actionName}".`);
  const given = params ?? {};
  if (validators.isValid(given)) return given as ActionParams[A];
  throw validationError(`The params of taskflow.${actionName} are not valid`, findProblems(validators, given));
}

function findProblems(validators: Validators, params: unknown): Problem[] {
  const problems = new ProblemList();
  if (typeof params !== "object" || Array.isArray(params)) {
    problems.add({ path: "", message: `params must be an object, got ${describeValue(params)}.`, keyword: "type" });
  } else {
    addSchemaProblems(validators.schema, validators.errors(), params, "", problems);
  }
  // Only the fast check sees inherited properties.
  if (problems.isEmpty) problems.add({ path: "", message: "params must be a plain object.", keyword: "type" });
  return problems.toArray();
}
