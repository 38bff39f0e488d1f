/**
 * Patterns of action names, such as Moleculer's: `*` is any text within a part, `**` any text over parts, `?` one character.
 *
 * Unlike Moleculer's own matcher it makes no regular expression of a pattern, which may come from a request: its time is the product of the two lengths.
 */
export function matchesGlob(pattern: string, name: string): boolean {
  // The places of the name up to which the pattern so far fits.
  let reached = new Set([0]);
  for (const token of pattern.match(/\*\*|[^]/g) ?? []) {
    reached = token.startsWith("*") ? stretch(name, reached, token === "*") : step(name, reached, token);
  }
  return reached.has(name.length);
}

function step(name: string, reached: ReadonlySet<number>, character: string): Set<number> {
  const next = new Set<number>();
  for (const at of reached) if (at < name.length && (character === "?" || character === name[at])) next.add(at + 1);
  return next;
}

function stretch(name: string, reached: ReadonlySet<number>, isWithinPart: boolean): Set<number> {
  const next = new Set<number>();
  for (const from of reached) {
    for (let at = from; at <= name.length && !next.has(at); at++) {
      next.add(at);
      if (isWithinPart && name[at] === ".") break;
    }
  }
  return next;
}
