/** The sandbox and its threads agree on this. */

/** JSONata ends an evaluation itself after this time. */
export const SOFT_LIMIT_MS = 1_000;

export interface SandboxRequest {
  readonly sources: readonly string[];
  /** JSON text. */
  readonly scope: string;
}
