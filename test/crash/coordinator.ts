/**
 * A coordinator (`bin/start.ts`) that kills itself at the point that CRASH_AT names. In a first
 * incarnation nothing is cut off before a taskflow is about to be stored.
 */
import { MoleculerBus } from "../../lib/adapters/moleculer/bus.ts";
import { MongoStore } from "../../lib/adapters/mongodb/store.ts";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import { SystemClock } from "../../lib/adapters/system/clock.ts";
import { crashing } from "./crashing.ts";
import { BUS, CLOCK, type CrashPoint, STORE } from "./points.ts";

const { CRASH_AT, IS_FIRST_LIFE } = process.env;
let isArmed = IS_FIRST_LIFE === undefined;

const reach = (point: CrashPoint): void => {
  isArmed ||= point === "before store.commit of created";
  if (isArmed && point === CRASH_AT) process.kill(process.pid, "SIGKILL");
};

for (const store of [SqliteStore, MongoStore]) crashing(store.prototype, "store", STORE, reach);
crashing(MoleculerBus.prototype, "bus", BUS, reach);
crashing(SystemClock.prototype, "clock", CLOCK, reach);
await import("../../bin/start.ts");
