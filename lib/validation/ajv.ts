/**
 * AJV, set up once. It compiles schemas of the package and of configured task types only: compiling
 * generates code, so no part of a request may reach it.
 */
import { Ajv, type ValidateFunction } from "ajv";
import { duration, DURATION_FORMAT, POSITIVE_DURATION_FORMAT } from "../util/kind.ts";

function makeAjv(allErrors: boolean): Ajv {
  return new Ajv({
    allErrors,
    verbose: allErrors,
    messages: false,
    strict: true,
    // A list of types fails with one error, a union of schemas with several.
    allowUnionTypes: true,
    coerceTypes: false,
    useDefaults: false,
    removeAdditional: false,
    formats: {
      [DURATION_FORMAT]: (text: string) => duration(0).read(text) !== undefined,
      [POSITIVE_DURATION_FORMAT]: (text: string) => duration(1).read(text) !== undefined,
    },
  });
}

const fast = makeAjv(false);
let thorough: Ajv | undefined;

/** A validator that stops at the first error. */
export function compileFast(schema: object): ValidateFunction {
  return fast.compile(schema);
}

/** A validator that lists all errors, compiled on first use. */
export function compileThorough(schema: object): () => ValidateFunction {
  let validate: ValidateFunction | undefined;
  return () => (validate ??= (thorough ??= makeAjv(true)).compile(schema));
}
