/** A store around another one, that counts what is written and fails when it is told to. */
import { taskflowError } from "../../lib/errors/errors.ts";
import type { Store, StoredTaskflow, Write, WriteResult } from "../../lib/ports/store.ts";

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
  const own = {
    writes: [] as Write[],
    failCommit: (_writes: readonly Write[]): Failure | undefined => undefined,
    failRead: (): boolean => false,
    commit(writes: readonly Write[]): WriteResult[] | Promise<WriteResult[]> {
      const failure = own.failCommit(writes);
      const commit = (): WriteResult[] | Promise<WriteResult[]> => {
        if (failure === "before") throw unavailable();
        const results = store.commit(writes);
        own.writes.push(...writes);
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
    async read(taskflowId: string): Promise<StoredTaskflow | undefined> {
      if (own.failRead()) throw unavailable();
      return store.read(taskflowId);
    },
    async readOn(...given: Parameters<Store["readOn"]>): Promise<StoredTaskflow | undefined> {
      if (own.failRead()) throw unavailable();
      return store.readOn(...given);
    },
  };
  // All that is not its own is the store's.
  return new Proxy(store, {
    get(target, key) {
      if (key in own) return own[key as keyof typeof own];
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
    set: (_target, key, value) => Reflect.set(own, key, value),
  }) as WrappedStore;
}
