/**
 * Patterns of action names, such as Moleculer's: `*` is any text within a part, `**` any text over parts, `?` one character.
 *
 * Unlike Moleculer's own matcher it makes no regular expression of a pattern, which comes from a request: its time is the product of the two lengths.
 */
export function matchesAction(pattern: string, action: string): boolean {
  // The places of the action up to which the pattern so far fits.
  let reached = new Set([0]);
  for (const token of pattern.match(/\*\*|[^]/g) ?? []) {
    reached = token.startsWith("*") ? stretch(action, reached, token === "*") : step(action, reached, token);
  }
  return reached.has(action.length);
}

function step(action: string, reached: ReadonlySet<number>, character: string): Set<number> {
  const next = new Set<number>();
  for (const at of reached) if (at < action.length && (character === "?" || character === action[at])) next.add(at + 1);
  return next;
}

function stretch(action: string, reached: ReadonlySet<number>, isWithinPart: boolean): Set<number> {
  const next = new Set<number>();
  for (const from of reached) {
    for (let at = from; at <= action.length && !next.has(at); at++) {
      next.add(at);
      if (isWithinPart && action[at] === ".") break;
    }
  }
  return next;
}
