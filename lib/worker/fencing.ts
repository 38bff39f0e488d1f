/** Taskflows whose fence is remembered; beyond it the one that was heard of longest ago goes. */
const MAX_FENCES = 10_000;

/**
 * The highest fence seen of each taskflow. A taskflow's owners are counted by it, so a lower one is of a coordinator that has lost the taskflow and does not know
 * it yet (it was frozen, or cut off).
 */
export class Fences {
  readonly #seen = new Map<string, number>();

  /** The higher fence that was seen before; undefined: it may pass. */
  outdatedBy(taskflowId: string, fence: number): number | undefined {
    const seen = this.#seen.get(taskflowId);
    if (seen !== undefined && seen > fence) return seen;
    this.#seen.delete(taskflowId);
    this.#seen.set(taskflowId, fence);
    if (this.#seen.size > MAX_FENCES) {
      const oldest = this.#seen.keys().next();
      if (!oldest.done) this.#seen.delete(oldest.value);
    }
    return undefined;
  }
}
