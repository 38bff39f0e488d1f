/** Computes expressions away from the engine's thread, within limits of time and memory. */
export interface Sandbox {
  /**
   * Never rejects: an expression that fails, takes too long or needs too much memory has a problem.
   * @param sources JSONata
   * @param scope JSON text
   * @returns one evaluation for each source, in their order
   */
  evaluate(sources: readonly string[], scope: string): Promise<readonly Evaluation[]>;

  /** Lets go of its threads; what is being computed gets a problem. */
  close(): Promise<void>;
}

/** The value of an expression (absent: it leads nowhere), or why there is none. */
export type Evaluation = { readonly value?: unknown } | { readonly problem: string };
