import { BoundedMap } from "../util/bounded-map.ts";

/** Taskflows whose fence is remembered; beyond it the one that was heard of longest ago goes. */
const MAX_FENCES = 10_000;

/**
 * The highest fence seen of each taskflow. A taskflow's owners are counted by it, so a lower one is of a coordinator that has lost the taskflow and does not know
 * it yet (it was frozen, or cut off).
 */
export class Fences {
  readonly #seen = new BoundedMap<string, number>(MAX_FENCES);

  /** The higher fence that was seen before; undefined: it may pass. */
  outdatedBy(taskflowId: string, fence: number): number | undefined {
    const seen = this.#seen.get(taskflowId);
    if (seen !== undefined && seen > fence) return seen;
    this.#seen.set(taskflowId, fence);
    return undefined;
  }
}
