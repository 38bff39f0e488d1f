import type { Taskflow } from "../../schemas/taskflow.schema.ts";

/** The definition as it is, checked by the compiler: for definitions that are kept in a variable or a file. */
export function defineTaskflow<const Definition extends Taskflow>(definition: Definition): Definition {
  return definition;
}
