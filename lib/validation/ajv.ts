/** AJV, set up once. Only schemas of this project are ever compiled: compiling makes code, so nothing of a request may get near it. */
import { Ajv, type ValidateFunction } from "ajv";
import { duration, DURATION_FORMAT, POSITIVE_DURATION_FORMAT } from "../util/kind.ts";

function makeAjv(allErrors: boolean): Ajv {
  return new Ajv({
    allErrors,
    verbose: allErrors,
    messages: false,
    strict: true,
    // A type list says more, and fails with one error, where a union of schemas fails with several.
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

/** Answers at the first thing that is wrong. */
export function compileFast(schema: object): ValidateFunction {
  return fast.compile(schema);
}

/** Lists all that is wrong; compiled when something first is. */
export function compileThorough(schema: object): () => ValidateFunction {
  let validate: ValidateFunction | undefined;
  return () => (validate ??= (thorough ??= makeAjv(true)).compile(schema));
}
