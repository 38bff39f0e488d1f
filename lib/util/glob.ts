/**
 * Patterns of action names, like Moleculer's: `*` matches any text within a part, `**` across
 * parts, `?` one character.
 *
 * Patterns may come from a request, so unlike Moleculer's matcher this one uses no regular
 * expression: its time is bounded by the product of the two lengths.
 */
export function matchesGlob(pattern: string, name: string): boolean {
  // Positions in the name up to which the tokens so far match.
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
