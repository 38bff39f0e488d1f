import type { PropertyNumber } from "./properties.ts";

export interface Mutant {
  readonly title: string;
  /** Any of these may notice it first. */
  readonly noticedBy: readonly PropertyNumber[];
  /**
   * A seed that shows it, or one shortly before; absent: 1. Saves time, and decides nothing: the
   * other seeds follow.
   */
  readonly from?: number;
  /**
   * The file that is changed, and what in it; absent for a mutant of the fakes, which know it by
   * its title.
   */
  readonly change?: readonly [file: string, from: string, to: string];
}
