/**
 * The store as one process sees it: answers come at once or later, fail, and what a dead process
 * had asked for may be carried out all the same.
 */
import type { Claimed, KnownOwner, Store, StoredTaskflow, Write, WriteResult } from "../../lib/ports/store.ts";
import type { Candidate } from "./durable-store.ts";
import type { Fault } from "./faults.ts";
import type { Incarnation } from "./incarnation.ts";
import type { World } from "./world.ts";

const never = <T>(): Promise<T> => new Promise<T>(() => {});
const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));
const unavailable = (what: string): Error => new Error(`STORE_UNAVAILABLE: ${what}`);
const unused = (): never => {
  throw new Error("The coordinator does not use this.");
};

export function storeOf(incarnation: Incarnation): Store {
  const { world } = incarnation;
  const { store } = world;
  const refusedBy = (fault: Fault): void => {
    if (world.strikes(fault)) throw unavailable(fault);
  };
  return {
    name: "simulated",
    open: unused,
    close: unused,
    due: (owner, until, limit, after): Promise<Claimed[]> =>
      answer(incarnation, () => {
        refusedBy("read refused");
        return store.due(owner, until, limit, after);
      }),
    timeOffset: (): Promise<number> =>
      answer(incarnation, () => {
        refusedBy("time refused");
        return incarnation.storeIsAhead;
      }),
    list: unused,
    readRaw: unused,
    insert: unused,
    pauseRules: unused,
    addPauseRule: unused,
    removePauseRules: unused,
    delete: unused,
    expire: unused,
    health: unused,
    commit: (writes) => commit(incarnation, writes),
    read: (taskflowId): Promise<StoredTaskflow | undefined> =>
      answer(incarnation, () => {
        refusedBy("read refused");
        return store.read(taskflowId);
      }),
    readOn: (taskflowId, _journal, revision): Promise<StoredTaskflow | undefined> =>
      answer(incarnation, () => {
        refusedBy("read refused");
        return store.readOn(taskflowId, revision);
      }),
    compact: (taskflowId, _journal, revision, texts): Promise<WriteResult> =>
      answer(incarnation, () => {
        refusedBy("commit refused");
        const result = store.compact(taskflowId, revision, texts);
        refusedBy("commit unsure");
        return result;
      }),
    reopen: (taskflowId, owner, fence): Promise<boolean> =>
      answer(incarnation, () => {
        refusedBy("claim refused");
        const isTaken = store.reopen(incarnation, taskflowId, owner, fence);
        if (isTaken) refusedBy("claim unsure");
        return isTaken;
      }),
    readMany: (taskflowIds): Promise<StoredTaskflow[]> =>
      answer(incarnation, () => {
        refusedBy("read refused");
        return taskflowIds.flatMap((taskflowId) => store.read(taskflowId) ?? []);
      }),
    repair: (taskflowId, fence, change): Promise<void> => answer(incarnation, () => store.repair(taskflowId, fence, change)),
    renewLease: (owner): Promise<KnownOwner[]> => beat(incarnation, owner),
    lastFinished: (owner, limit): Promise<string[]> =>
      answer(incarnation, () => {
        refusedBy("read refused");
        return store.lastFinished(incarnation, owner, limit);
      }),
    claim: (...given): Promise<Claimed[]> => claim(incarnation, ...given),
    confirmOwnership: (owner): Promise<void> => confirmOwnership(incarnation, owner),
    release: (owner, taskflowIds): Promise<void> =>
      answer(incarnation, () => {
        refusedBy("release refused");
        store.release(owner, taskflowIds);
      }),
    leave: (owner): Promise<void> =>
      answer(incarnation, () => {
        refusedBy("release refused");
        store.leave(owner);
      }),
  };
}

function answer<T>(incarnation: Incarnation, work: () => T, latency?: number): Promise<T> {
  const { world } = incarnation;
  if (!incarnation.goesOn()) return never();
  if (!world.isStoreAsync && latency === undefined) return (async () => work())();
  return new Promise((resolve, reject) => {
    world.agenda.in(latency ?? world.latency(), () => {
      if (!incarnation.isAlive && world.random.chance(0.3)) return;
      try {
        const result = work();
        incarnation.reach(() => resolve(result));
      } catch (error) {
        incarnation.reach(() => reject(asError(error)));
      }
    });
  });
}

/**
 * Step by step, like the store on MongoDB: others come in between, and the process may stand
 * still.
 */
async function claim(incarnation: Incarnation, ...[owner, alive, dead, limit]: Parameters<Store["claim"]>): Promise<Claimed[]> {
  const { world } = incarnation;
  const { store } = world;
  const since = world.agenda.time;
  const step = <Result>(rows: readonly Candidate[], work: () => Result): Promise<Result> =>
    answer(incarnation, work, slowness(world, rows));
  const found = await step([], () => {
    if (world.strikes("claim refused")) throw unavailable("claim refused");
    return store.candidates(alive, limit);
  });
  const isOwned = found.some(({ owner: before }) => before !== null);
  const abandoned = isOwned ? await step(found, () => store.abandoned(found, dead)) : found;
  if (abandoned.length === 0) return [];
  return step(abandoned, () => {
    const claimed = store.take(incarnation, owner, abandoned, since);
    if (claimed.length > 0 && world.strikes("claim unsure")) throw unavailable("claim unsure");
    return claimed;
  });
}

/**
 * Up to two leases; mostly, where that is near, until an owner that is frozen has just come back.
 */
function slowness(world: World, rows: readonly Candidate[]): number | undefined {
  const { random, leaseMs, fleet, agenda, faults, isCalm } = world;
  const frozen = fleet.incarnations.find(({ isFrozen, owner }) => isFrozen && rows.some((row) => row.owner === owner));
  const left = frozen ? frozen.frozenUntil - agenda.time : Infinity;
  const isNear = left < leaseMs * 2 && faults["claim slow"] > 0 && !isCalm;
  if (isNear && random.chance(0.7)) return left + random.int(0, 150);
  return world.strikes("claim slow") ? random.int(1, leaseMs * 2) : undefined;
}

/** Only then its lease is its own again. */
async function confirmOwnership(incarnation: Incarnation, owner: string): Promise<void> {
  const { world } = incarnation;
  await answer(incarnation, () => {
    if (world.strikes("beat refused")) throw unavailable("beat refused");
    world.count("world: a coordinator comes back");
    world.store.confirmOwnership(owner);
  });
  incarnation.heldUntil = incarnation.beatUntil;
}

async function beat(incarnation: Incarnation, owner: string): Promise<KnownOwner[]> {
  const { world } = incarnation;
  const from = world.agenda.time;
  const isSlow = world.strikes("beat slow");
  const latency = isSlow ? world.random.int(Math.floor(world.leaseMs / 2), world.leaseMs * 2) : undefined;
  const owners = await answer(
    incarnation,
    () => {
      if (world.strikes("beat refused")) throw unavailable("beat refused");
      return world.store.beat(owner);
    },
    latency,
  );
  const hasLapsed = incarnation.heldUntil > 0 && incarnation.heldUntil <= world.agenda.time;
  incarnation.beatUntil = from + world.leaseMs;
  // Else it has to make sure of what it has first.
  if (!hasLapsed) incarnation.heldUntil = incarnation.beatUntil;
  return owners;
}

function commit(incarnation: Incarnation, writes: readonly Write[]): WriteResult[] | Promise<WriteResult[]> {
  const { world } = incarnation;
  if (!incarnation.isAlive) throw unavailable("the process is dead");
  if (writes.length > 1) world.count("world: commit of several taskflows");
  const isAfter = world.random.chance(0.5);
  if (!incarnation.goesOn(isAfter ? "crash after a commit" : "crash before a commit")) {
    if (isAfter) world.applyUnheard(incarnation, writes);
    throw unavailable("the process has crashed");
  }
  if (!world.isStoreAsync) return commitNow(incarnation, writes);
  return new Promise((resolve, reject) => {
    world.agenda.in(world.latency(), () => {
      // What a dead process has sent may be stored all the same.
      if (!incarnation.isAlive) {
        if (world.random.chance(0.7)) world.applyUnheard(incarnation, writes);
        return;
      }
      try {
        const results = commitNow(incarnation, writes);
        world.agenda.in(world.latency(), () => incarnation.reach(() => resolve(results)));
      } catch (error) {
        world.agenda.in(world.latency(), () => incarnation.reach(() => reject(asError(error))));
      }
    });
  });
}

/** The commit itself, with what can go wrong in it. */
function commitNow(incarnation: Incarnation, writes: readonly Write[]): WriteResult[] {
  const { world } = incarnation;
  if (world.strikes("commit refused")) throw unavailable("nothing was stored");
  if (world.strikes("commit unsure")) {
    world.store.apply(
      incarnation,
      writes.filter(() => world.random.chance(0.7)),
    );
    throw unavailable("nobody knows");
  }
  if (world.isStoreAsync && world.strikes("commit lands late")) {
    world.landedLate = true;
    const appends = writes.filter(({ kind }) => kind === "append");
    world.agenda.in(world.random.int(1, 300), () => world.applyUnheard(incarnation, appends));
    throw unavailable("it takes too long");
  }
  for (const write of writes) {
    if (write.kind === "append" && world.strikes("conflict")) world.store.intrude(write.taskflowId);
  }
  return world.store.apply(incarnation, writes);
}
