/** Fenced code blocks of Markdown, and what can be said of a shell command without running it. */

export interface CodeBlock {
  /** The Markdown file. */
  readonly path: string;
  /** Line of its opening fence, from 1. */
  readonly line: number;
  /** First word after the fence; "" if there is none. */
  readonly language: string;
  /** The other words. */
  readonly marks: readonly string[];
  readonly code: string;
}

export function codeBlocks(path: string, markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { fence: string; indent: number; line: number; info: string[]; code: string[] } | undefined;
  for (const [index, text] of markdown.split("\n").entries()) {
    const fence = /^(\s*)(`{3,}|~{3,})(.*)$/.exec(text);
    if (open === undefined) {
      if (fence === null) continue;
      const [, indent = "", marker = "", info = ""] = fence;
      open = { fence: marker, indent: indent.length, line: index + 1, info: info.trim().split(/\s+/), code: [] };
    } else if (fence?.[2]?.startsWith(open.fence) === true && fence[3]?.trim() === "") {
      const [language = "", ...marks] = open.info;
      blocks.push({ path, line: open.line, language, marks, code: open.code.join("\n") });
      open = undefined;
    } else {
      open.code.push(text.slice(Math.min(open.indent, text.length - text.trimStart().length)));
    }
  }
  if (open !== undefined) throw new Error(`${path}: the code block that begins in line ${open.line} has no end`);
  return blocks;
}

/**
 * The commands of a shell block, each as its words: one a line, and one on each side of `&&`,
 * `||`, `;` and `|`.
 */
export function shellCommands(code: string): string[][] {
  return code
    .replaceAll("\\\n", " ")
    .split("\n")
    .map((line) => line.replace(/^\$ /, "").replace(/(^|\s)#.*$/, ""))
    .flatMap((line) => line.split(/&&|\|\||[;|]/))
    .map((command) => command.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [])
    .map((words) => words.map((word) => word.replaceAll(/["']/g, "")))
    .filter((words) => words.length > 0);
}

const NPM_SHORTHANDS = new Set(["test", "start", "stop", "restart"]);

/** Scripts of package.json that a command runs. */
export function npmScriptsOf(words: readonly string[]): string[] {
  const [program, verb = "", name] = words.filter((word) => !word.startsWith("-") && !/^\w+=/.test(word));
  if (program !== "npm") return [];
  if (verb === "run" || verb === "run-script") return name === undefined ? [] : [name];
  return NPM_SHORTHANDS.has(verb) ? [verb] : verb === "t" ? ["test"] : [];
}

/**
 * Words of a command that name files of the repository: source and configuration files, by their
 * ending.
 */
export function filesOf(words: readonly string[]): string[] {
  const isFile = /^(?!-)[\w./-]+\.(ts|js|mjs|json|ya?ml|sh|md|conf)$/;
  const written = words.findIndex((word) => /^(\d?>{1,2}|-o|--output)$/.test(word));
  return words.filter((word, index) => isFile.test(word) && (written === -1 || index !== written + 1) && !word.startsWith("/"));
}
