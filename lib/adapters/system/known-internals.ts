import type { Logger } from "../../ports/logger.ts";

/** Private parts of a library that a fast path needs. */
export interface Internals {
  readonly library: string;
  /** Of the installed library. */
  readonly version: unknown;
  /** Major and minor of the versions in which these parts are known. */
  readonly known: readonly string[];
  readonly areThere: boolean;
  /** The effect of doing without them. */
  readonly plainPath: string;
}

/** Whether a fast path may be used. If not, one log line says why. */
export function knowsInternals(
  { library, version, known, areThere, plainPath }: Internals,
  logger: Pick<Logger, "info"> | undefined,
): boolean {
  const isKnown = known.some((minor) => String(version).startsWith(`${minor}.`));
  if (isKnown && areThere) return true;
  const why = isKnown ? "lacks internals that it used to have" : `has internals that are not known (${known.join(", ")} are)`;
  logger?.info(`${library} ${String(version)} ${why}: ${plainPath}, which takes more CPU.`);
  return false;
}
