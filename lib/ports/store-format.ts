/**
 * Format of the tables or collections and of the journals in them. Earlier formats were never
 * released.
 */
export const STORE_FORMAT = 4;

/**
 * Why a store of this format cannot be opened; undefined: it can.
 * @param store name of the store, for the message
 */
export function formatProblem(store: string, format: number): string | undefined {
  if (format > STORE_FORMAT) {
    return `The store ${store} must have format ${STORE_FORMAT}, got ${format} from a newer moleculer-taskflow: use the version that wrote it, or a newer one.`;
  }
  if (format < STORE_FORMAT) {
    return `The store ${store} must have format ${STORE_FORMAT}, got ${format} from before moleculer-taskflow 0.1.0: delete it, or set another one in TASKFLOW_STORE.`;
  }
  return undefined;
}
