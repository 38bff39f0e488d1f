/** Params that are made when they are needed: strings that name a value, `"${response.id}"`. */

/** Roots that a path may begin with, then keys and indices. */
const PATH = /^\$\{\s*([A-Za-z_]\w*)((?:\.[A-Za-z_][\w-]*|\[\d+\])*)\s*\}$/;
const STEP = /\.([A-Za-z_][\w-]*)|\[(\d+)\]/g;

/** Is a string one that `fill` would replace by the value of a path below one of the roots? Undefined: it holds no `${` at all. */
export function isTemplate(text: string, roots: readonly string[]): boolean | undefined {
  if (!text.includes("${")) return undefined;
  const root = PATH.exec(text)?.[1];
  return root !== undefined && roots.includes(root);
}

/** A copy with every template replaced. What a path leads nowhere to is left out (in an array: null). */
export function fill(value: unknown, roots: Readonly<Record<string, unknown>>): unknown {
  if (typeof value === "string") return isTemplate(value, Object.keys(roots)) ? lookUp(value, roots) : value;
  if (Array.isArray(value)) return value.map((element) => fill(element, roots) ?? null);
  if (typeof value !== "object" || value === null) return value;
  const filled: [string, unknown][] = [];
  for (const [key, inner] of Object.entries(value)) {
    const made = fill(inner, roots);
    if (made !== undefined) filled.push([key, made]);
  }
  return Object.fromEntries(filled);
}

function lookUp(text: string, roots: Readonly<Record<string, unknown>>): unknown {
  const [, root = "", path = ""] = PATH.exec(text) ?? [];
  let found: unknown = roots[root];
  for (const [, key, index] of path.matchAll(STEP)) {
    const step = key ?? index ?? "";
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Record<string, unknown>)[step];
  }
  return found;
}
