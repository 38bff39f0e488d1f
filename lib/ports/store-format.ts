/** Format of the tables or collections and of the journals in them; the formats before it were those of development. */
export const STORE_FORMAT = 3;

/**
 * Why a store of that format cannot be opened; undefined: it can.
 * @param store its name, for the sentence
 */
export function formatProblem(store: string, format: number): string | undefined {
  if (format > STORE_FORMAT) {
    return `The store ${store} has format ${format}, and this version of moleculer-taskflow reads format ${STORE_FORMAT}: use the version that wrote it, or a newer one.`;
  }
  if (format < STORE_FORMAT) {
    return `The store ${store} has format ${format}, from before moleculer-taskflow 0.1.0: delete it, or set another one in TASKFLOW_STORE.`;
  }
  return undefined;
}
