/** Which actions tasks may call. */
import { BoundedMap } from "../util/bounded-map.ts";
import { matchesGlob } from "../util/glob.ts";

/** Names remembered with their answer; they come from requests, so that their number has an end. */
const MAX_REMEMBERED = 10_000;

/**
 * The patterns as a predicate on whole action names. A pattern is Moleculer's (`*` within a part,
 * `**` over parts, `?`); one that begins with `!` excludes what it matches, wherever it stands.
 * With exclusions only, all else is allowed.
 *
 * `$node.*` is never allowed, whatever the patterns say: `$node.options` of any node answers its
 * credentials. `taskflow.*` is allowed only by a pattern that begins with `taskflow.`.
 */
export function compileActionPatterns(patterns: readonly string[] = ["**"]): (actionName: string) => boolean {
  const excluded = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
  const included = patterns.filter((pattern) => !pattern.startsWith("!"));
  if (included.length === 0) included.push("**");
  const ownIncluded = included.filter((pattern) => pattern.startsWith("taskflow."));

  const decide = (name: string): boolean => {
    if (name.startsWith("$node.")) return false;
    const candidates = name.startsWith("taskflow.") ? ownIncluded : included;
    return candidates.some((pattern) => matchesGlob(pattern, name)) && !excluded.some((pattern) => matchesGlob(pattern, name));
  };
  const remembered = new BoundedMap<string, boolean>(MAX_REMEMBERED);
  return (name) => remembered.getOrMake(name, decide);
}
