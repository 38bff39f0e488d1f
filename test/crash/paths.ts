/** How a point is reached. Without a word here, it is on the way of a taskflow that is produced and ends. */
import type { CrashPoint, Happening } from "./points.ts";

export interface Path {
  /** A life before ends here: what happens only where one has died. */
  readonly prelude?: CrashPoint;
  /** What the life that is to reach the point is told while its taskflow runs. */
  readonly provoke?: "stop" | "delete";
}

/** In the middle of a stage, with attempts out of every kind. */
const MIDDLE: CrashPoint = "before store.commit of delayed";

const PATHS: Readonly<Record<Happening, Path>> = {
  "store.open": { prelude: MIDDLE },
  "store.claim": { prelude: MIDDLE },
  "store.commit of owned": { prelude: MIDDLE },
  "store.commit of redelivered": { prelude: MIDDLE },
  "store.commit of undelivered": { prelude: MIDDLE },
  "bus.ask": { prelude: MIDDLE },
  "an answer of bus.ask": { prelude: MIDDLE },
  // The end is stored, and its row says "unfinished" still.
  "store.repair": { prelude: "after store.commit of end" },
  "store.expire": { prelude: MIDDLE },
  "store.release": { provoke: "stop" },
  "store.leave": { provoke: "stop" },
  "store.close": { provoke: "stop" },
  "store.delete": { provoke: "delete" },
};

export const happeningOf = (point: CrashPoint): Happening => point.replace(/^(before|after) /, "");

export const pathTo = (point: CrashPoint): Path => PATHS[happeningOf(point)] ?? {};

/** What a store never does, and why. */
export const NEVER: Readonly<Record<string, Readonly<Record<Happening, string>>>> = {
  SQLite: { "store.repair": "an entry and its row are one transaction" },
  MongoDB: {},
};
