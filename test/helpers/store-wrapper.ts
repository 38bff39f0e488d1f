/** A store around another one, that counts what is written and fails when it is told to. */
import { taskflowError } from "../../lib/errors.ts";
import type { Store, Write, WriteResult } from "../../lib/ports/store.ts";

export type Failure = "before" | "after";

export interface WrappedStore extends Store {
  readonly writes: Write[];
  /** Asked at every commit; what it says happens. */
  failCommit: (writes: readonly Write[]) => Failure | undefined;
  failRead: () => boolean;
}

const unavailable = (): Error => taskflowError("STORE_UNAVAILABLE", "The store is told to fail.");

/** @param isAsync commits like a store in another process: later, by a promise */
export function wrapStore(store: Store, isAsync = false): WrappedStore {
  const wrapped: WrappedStore = {
    writes: [],
    failCommit: () => undefined,
    failRead: () => false,
    name: store.name,
    open: () => store.open(),
    close: () => store.close(),
    commit(writes) {
      const failure = wrapped.failCommit(writes);
      const commit = (): WriteResult[] | Promise<WriteResult[]> => {
        if (failure === "before") throw unavailable();
        const results = store.commit(writes);
        wrapped.writes.push(...writes);
        if (failure === "after") throw unavailable();
        return results;
      };
      if (!isAsync) return commit();
      return new Promise((resolve, reject) => {
        setImmediate(() => {
          try {
            resolve(commit());
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        });
      });
    },
    async read(taskflowId) {
      if (wrapped.failRead()) throw unavailable();
      return store.read(taskflowId);
    },
    claim: (...args) => store.claim(...args),
    due: (...args) => store.due(...args),
    repair: (...args) => store.repair(...args),
    beat: (owner) => store.beat(owner),
    leave: (owner) => store.leave(owner),
    timeOffset: () => store.timeOffset(),
    list: (query) => store.list(query),
    delete: (taskflowId) => store.delete(taskflowId),
    health: () => store.health(),
  };
  return wrapped;
}
