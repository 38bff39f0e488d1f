import type { PropertyNumber } from "./properties.ts";

export interface Mutant {
  readonly title: string;
  /** Any of these may notice it first. */
  readonly noticedBy: readonly PropertyNumber[];
  /** The seed to begin with, of a bug that takes long to show; absent: 1. */
  readonly from?: number;
  /** The file that is changed, and what in it; absent for a bug of the fakes, which is known by its title. */
  readonly change?: readonly [file: string, from: string, to: string];
}
