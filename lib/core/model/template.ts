/**
 * Templates in params: strings such as `"${response.id}"` that are replaced by the value they name.
 */

/** A root, then keys and indices. */
const PATH = /^\$\{\s*([A-Za-z_]\w*)((?:\.[A-Za-z_][\w-]*|\[\d+\])*)\s*\}$/;
const STEP = /\.([A-Za-z_][\w-]*)|\[(\d+)\]/g;

/**
 * Whether `fill` would replace the text by a value below one of the roots. Undefined: the text
 * contains no `${`. False: it does, and is not a template.
 */
export function isTemplate(text: string, roots: readonly string[]): boolean | undefined {
  if (!text.includes("${")) return undefined;
  const root = PATH.exec(text)?.[1];
  return root !== undefined && roots.includes(root);
}

/** A copy with every template replaced. A path to nothing omits its key (in an array: null). */
export function fill(value: unknown, roots: Readonly<Record<string, unknown>>): unknown {
  if (typeof value === "string") return isTemplate(value, Object.keys(roots)) ? lookUp(value, roots) : value;
  if (Array.isArray(value)) return value.map((element) => fill(element, roots) ?? null);
  if (typeof value !== "object" || value === null) return value;
  const filled: [string, unknown][] = [];
  for (const [key, inner] of Object.entries(value)) {
    const replaced = fill(inner, roots);
    if (replaced !== undefined) filled.push([key, replaced]);
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
