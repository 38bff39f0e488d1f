/** Params of all actions but `produce`, checked against the schemas of the catalogue. */
import type { ValidateFunction } from "ajv";
import { ACTIONS, type ActionName, type ActionParams } from "../../schemas/actions/index.ts";
import { validationError } from "../errors/validation-error.ts";
import type { Problem } from "../util/problem.ts";
import { compileFast, compileThorough } from "./ajv.ts";
import { ProblemList } from "./problems.ts";
import { describeValue } from "../util/describe-value.ts";
import { addSchemaProblems } from "./schema-problems.ts";

/** The params of `produce` are checked piece by piece (`definition.ts`). */
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

/** The params, typed, if they are valid (absent ones are `{}`); else throws TASKFLOW_VALIDATION_ERROR with all problems. They are neither copied nor changed. */
export function validateParams<A extends CheckedAction>(actionName: A, params: unknown): ActionParams[A] {
  const validators = compiled.get(actionName);
  if (validators === undefined) throw new RangeError(`There is no schema for the params of the action "${actionName}".`);
  const given = params ?? {};
  if (validators.isValid(given)) return given as ActionParams[A];
  throw validationError(`The params of taskflow.${actionName} are not valid`, findProblems(validators, given));
}

function findProblems(validators: Validators, params: unknown): Problem[] {
  const problems = new ProblemList();
  if (typeof params !== "object" || Array.isArray(params)) {
    problems.add({ path: "", message: `The whole is ${describeValue(params)}: give an object.`, keyword: "type" });
  } else {
    addSchemaProblems(validators.schema, validators.errors(), params, "", problems);
  }
  // Keys that are not own properties are seen by the quick check only.
  if (problems.isEmpty) problems.add({ path: "", message: "The whole is not a plain object: give plain data.", keyword: "type" });
  return problems.toArray();
}
