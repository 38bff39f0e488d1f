/**
 * Patterns of action names, such as Moleculer's: `*` is any text within a part, `**` any text over parts, `?` one character.
 *
 * Unlike Moleculer's own matcher it makes no regular expression of a pattern, which comes from a request: its time is the product of the two lengths.
 */
export function matchesAction(pattern: string, action: string): boolean {
  // The places of the action up to which the pattern so far fits.
  let reached = new Set([0]);
  for (const token of pattern.match(/\*\*|[^]/g) ?? []) {
    const next = new Set<number>();
    for (const from of reached) {
      if (token === "*" || token === "**") {
        for (let at = from; !next.has(at); at++) {
          next.add(at);
          if (at === action.length || (token === "*" && action[at] === ".")) break;
        }
      } else if (from < action.length && (token === "?" || token === action[from])) next.add(from + 1);
    }
    reached = next;
    if (reached.size === 0) return false;
  }
  return reached.has(action.length);
}
