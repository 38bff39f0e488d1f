/** Lists of problems: bounded, however much is wrong. */
import type { Problem } from "../util/problem.ts";

const MAX_LISTED = 100;
const MAX_COUNTED = 2_000;
/** Collects problems: the first 100 are kept, more are counted, and past 2,000 nobody needs to look any further (`isFull`). */
export class ProblemList {
  private readonly listed: Problem[] = [];
  private count = 0;

  get isEmpty(): boolean {
    return this.count === 0;
  }

  get isFull(): boolean {
    return this.count >= MAX_COUNTED;
  }

  /** False: what is added now is only counted. */
  get isListing(): boolean {
    return this.listed.length < MAX_LISTED;
  }

  countOnly(): void {
    this.count += 1;
  }

  add(problem: Problem): void {
    this.count += 1;
    if (this.listed.length < MAX_LISTED) this.listed.push(problem);
  }

  /** The list, with an entry at its end that tells how many are left out. */
  toArray(): Problem[] {
    const more = this.count - this.listed.length;
    if (more === 0) return this.listed;
    const number = this.isFull ? `At least ${more}` : `${more}`;
    return [
      ...this.listed,
      { path: "", message: `${number} more problems are not listed: correct these first.`, keyword: "more", more },
    ];
  }
}
