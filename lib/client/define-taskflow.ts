import type { Taskflow } from "../../schemas/taskflow.schema.ts";

/**
 * Returns the definition unchanged, checked by the compiler: for definitions in a variable or a
 * file.
 */
export function defineTaskflow<const Definition extends Taskflow>(definition: Definition): Definition {
  return definition;
}
