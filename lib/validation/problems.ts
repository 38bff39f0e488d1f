import type { Problem } from "../util/problem.ts";

const MAX_LISTED = 100;
const MAX_COUNTED = 2_000;

/**
 * Collects problems, bounded: keeps the first 100, counts up to 2,000, and is then full, so that
 * checks can stop.
 */
export class ProblemList {
  private readonly listed: Problem[] = [];
  private count = 0;

  get isEmpty(): boolean {
    return this.count === 0;
  }

  get isFull(): boolean {
    return this.count >= MAX_COUNTED;
  }

  /** False: further problems are only counted. */
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

  /** The list; a last entry counts the problems that are not listed. */
  toArray(): Problem[] {
    const more = this.count - this.listed.length;
    if (more === 0) return this.listed;
    const number = this.isFull ? `at least ${more}` : `${more}`;
    return [
      ...this.listed,
      { path: "", message: `Correct these problems first; ${number} more are not listed.`, keyword: "more", more },
    ];
  }
}
