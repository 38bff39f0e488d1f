/** Refuses deliveries of coordinators that have lost their taskflow and do not know it yet. */
import { BoundedMap } from "../util/bounded-map.ts";

/** Number of remembered fences; beyond it, the one that was seen longest ago is forgotten. */
const MAX_FENCES = 10_000;

/**
 * How long a fence is remembered. A frozen coordinator checks its lease before each delivery, so an
 * outdated delivery comes soon after its thaw. A taskflow that was restored from a backup, with
 * fewer owners than before, goes on after this time.
 */
const REMEMBER_MS = 300_000;

interface Seen {
  readonly fence: number;
  readonly at: number;
}

/**
 * The highest fence seen of each taskflow, which counts its owners: a delivery with a lower one is
 * outdated. An id that was deleted and produced again is another taskflow.
 */
export class Fences {
  readonly #seen = new BoundedMap<string, Seen>(MAX_FENCES);

  /**
   * The higher fence that was seen before; undefined: the delivery may pass.
   * @param life identifies the taskflow also among those of the same id
   * @param now monotonic, in ms
   */
  outdatedBy(life: string, fence: number, now: number): number | undefined {
    const seen = this.#seen.get(life);
    if (seen !== undefined && seen.fence > fence && now - seen.at < REMEMBER_MS) return seen.fence;
    this.#seen.set(life, { fence, at: now });
    return undefined;
  }
}
