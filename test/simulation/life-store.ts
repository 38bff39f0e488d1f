/** The store as one process sees it: answers come at once or later, fail, and what a dead process had asked for may be carried out all the same. */
import type { Claimed, KnownOwner, Store, StoredTaskflow, Write, WriteResult } from "../../lib/ports/store.ts";
import type { Candidate } from "./durable-store.ts";
import type { Fault } from "./faults.ts";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

const never = <T>(): Promise<T> => new Promise<T>(() => {});
const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));
const unavailable = (what: string): Error => new Error(`STORE_UNAVAILABLE: ${what}`);
const unused = (): never => {
  throw new Error("The coordinator does not use this.");
};

export function storeOf(life: Life): Store {
  const { world } = life;
  const { store } = world;
  const refusedBy = (fault: Fault): void => {
    if (world.strikes(fault)) throw unavailable(fault);
  };
  return {
    name: "simulated",
    open: unused,
    close: unused,
    due: (owner, until, limit, after): Promise<Claimed[]> =>
      answer(life, () => {
        refusedBy("read refused");
        return store.due(owner, until, limit, after);
      }),
    timeOffset: (): Promise<number> =>
      answer(life, () => {
        refusedBy("time refused");
        return life.storeIsAhead;
      }),
    list: unused,
    insert: unused,
    pauseRules: unused,
    addPauseRule: unused,
    removePauseRules: unused,
    delete: unused,
    expire: unused,
    health: unused,
    commit: (writes) => commit(life, writes),
    read: (taskflowId): Promise<StoredTaskflow | undefined> =>
      answer(life, () => {
        refusedBy("read refused");
        return store.read(taskflowId);
      }),
    reopen: (taskflowId, owner, fence): Promise<boolean> =>
      answer(life, () => {
        refusedBy("claim refused");
        const isTaken = store.reopen(life, taskflowId, owner, fence);
        if (isTaken) refusedBy("claim unsure");
        return isTaken;
      }),
    readMany: (taskflowIds): Promise<StoredTaskflow[]> =>
      answer(life, () => {
        refusedBy("read refused");
        return taskflowIds.flatMap((taskflowId) => store.read(taskflowId) ?? []);
      }),
    repair: (taskflowId, fence, change): Promise<void> => answer(life, () => store.repair(taskflowId, fence, change)),
    beat: (owner): Promise<KnownOwner[]> => beat(life, owner),
    lastFinished: (owner, limit): Promise<string[]> =>
      answer(life, () => {
        refusedBy("read refused");
        return store.lastFinished(life, owner, limit);
      }),
    claim: (...given): Promise<Claimed[]> => claim(life, ...given),
    secure: (owner): Promise<void> => secure(life, owner),
    release: (owner, taskflowIds): Promise<void> =>
      answer(life, () => {
        refusedBy("release refused");
        store.release(owner, taskflowIds);
      }),
    leave: (owner): Promise<void> =>
      answer(life, () => {
        refusedBy("release refused");
        store.leave(owner);
      }),
  };
}

function answer<T>(life: Life, work: () => T, latency?: number): Promise<T> {
  const { world } = life;
  if (!life.goesOn()) return never();
  if (!world.isStoreAsync && latency === undefined) return (async () => work())();
  return new Promise((resolve, reject) => {
    world.agenda.in(latency ?? world.latency(), () => {
      if (!life.isAlive && world.random.chance(0.3)) return;
      try {
        const result = work();
        life.reach(() => resolve(result));
      } catch (error) {
        life.reach(() => reject(asError(error)));
      }
    });
  });
}

/** Step by step, like the store on MongoDB: others come in between, and the process may stand still. */
async function claim(life: Life, ...[owner, alive, dead, limit]: Parameters<Store["claim"]>): Promise<Claimed[]> {
  const { world } = life;
  const { store } = world;
  const since = world.agenda.time;
  const step = <Result>(rows: readonly Candidate[], work: () => Result): Promise<Result> =>
    answer(life, work, slowness(world, rows));
  const found = await step([], () => {
    if (world.strikes("claim refused")) throw unavailable("claim refused");
    return store.candidates(alive, limit);
  });
  const isOwned = found.some(({ owner: before }) => before !== null);
  const abandoned = isOwned ? await step(found, () => store.abandoned(found, dead)) : found;
  if (abandoned.length === 0) return [];
  return step(abandoned, () => {
    const claimed = store.take(life, owner, abandoned, since);
    if (claimed.length > 0 && world.strikes("claim unsure")) throw unavailable("claim unsure");
    return claimed;
  });
}

/** Up to two leases; mostly, where that is near, until an owner that is frozen has just come back. */
function slowness(world: World, rows: readonly Candidate[]): number | undefined {
  const { random, leaseMs, fleet, agenda, faults, isCalm } = world;
  const frozen = fleet.lives.find(({ isFrozen, owner }) => isFrozen && rows.some((row) => row.owner === owner));
  const left = frozen ? frozen.frozenUntil - agenda.time : Infinity;
  const isNear = left < leaseMs * 2 && faults["claim slow"] > 0 && !isCalm;
  if (isNear && random.chance(0.7)) return left + random.int(0, 150);
  return world.strikes("claim slow") ? random.int(1, leaseMs * 2) : undefined;
}

/** Only then its lease is its own again. */
async function secure(life: Life, owner: string): Promise<void> {
  const { world } = life;
  await answer(life, () => {
    if (world.strikes("beat refused")) throw unavailable("beat refused");
    world.count("world: a coordinator comes back");
    world.store.secure(owner);
  });
  life.heldUntil = life.beatUntil;
}

async function beat(life: Life, owner: string): Promise<KnownOwner[]> {
  const { world } = life;
  const from = world.agenda.time;
  const isSlow = world.strikes("beat slow");
  const latency = isSlow ? world.random.int(Math.floor(world.leaseMs / 2), world.leaseMs * 2) : undefined;
  const owners = await answer(
    life,
    () => {
      if (world.strikes("beat refused")) throw unavailable("beat refused");
      return world.store.beat(owner);
    },
    latency,
  );
  const hasLapsed = life.heldUntil > 0 && life.heldUntil <= world.agenda.time;
  life.beatUntil = from + world.leaseMs;
  // Else it has to make sure of what it has first.
  if (!hasLapsed) life.heldUntil = life.beatUntil;
  return owners;
}

function commit(life: Life, writes: readonly Write[]): WriteResult[] | Promise<WriteResult[]> {
  const { world } = life;
  if (!life.isAlive) throw unavailable("the process is dead");
  if (writes.length > 1) world.count("world: commit of several taskflows");
  const isAfter = world.random.chance(0.5);
  if (!life.goesOn(isAfter ? "crash after a commit" : "crash before a commit")) {
    if (isAfter) world.applyUnheard(life, writes);
    throw unavailable("the process has crashed");
  }
  if (!world.isStoreAsync) return commitNow(life, writes);
  return new Promise((resolve, reject) => {
    world.agenda.in(world.latency(), () => {
      // What a dead process has sent may be stored all the same.
      if (!life.isAlive) {
        if (world.random.chance(0.7)) world.applyUnheard(life, writes);
        return;
      }
      try {
        const results = commitNow(life, writes);
        world.agenda.in(world.latency(), () => life.reach(() => resolve(results)));
      } catch (error) {
        world.agenda.in(world.latency(), () => life.reach(() => reject(asError(error))));
      }
    });
  });
}

/** The commit itself, with what can go wrong in it. */
function commitNow(life: Life, writes: readonly Write[]): WriteResult[] {
  const { world } = life;
  if (world.strikes("commit refused")) throw unavailable("nothing was stored");
  if (world.strikes("commit unsure")) {
    world.store.apply(
      life,
      writes.filter(() => world.random.chance(0.7)),
    );
    throw unavailable("nobody knows");
  }
  if (world.isStoreAsync && world.strikes("commit lands late")) {
    const appends = writes.filter(({ kind }) => kind === "append");
    world.agenda.in(world.random.int(1, 300), () => world.applyUnheard(life, appends));
    throw unavailable("it takes too long");
  }
  for (const write of writes) {
    if (write.kind === "append" && world.strikes("conflict")) world.store.intrude(write.taskflowId);
  }
  return world.store.apply(life, writes);
}
