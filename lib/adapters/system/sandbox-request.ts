/** The messages between the sandbox and its threads. */

/** The time after which JSONata ends an evaluation itself. */
export const SOFT_LIMIT_MS = 1_000;

export interface SandboxRequest {
  readonly sources: readonly string[];
  /** JSON text. */
  readonly scope: string;
}
