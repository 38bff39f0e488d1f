/** Something that is wrong with params, as TASKFLOW_VALIDATION_ERROR lists it in `data`. */
export interface Problem {
  /** JSON pointer to the place; "" is the whole. For something missing: where it belongs. */
  path: string;
  /** A sentence that names the path, the value, and what to do. */
  message: string;
  /**
   * The value that is there, shortened; absent where nothing is, or where it is an object or array.
   */
  value?: string | number | boolean | null;
  /** JSON Schema keyword, or name of the rule. */
  keyword?: string;
  /** The limit that is passed. */
  limit?: number;
  /** An error type of the catalogue, where the problem has one. */
  type?: string;
  /** In the last entry of a list that was cut: how many are not listed. */
  more?: number;
}
