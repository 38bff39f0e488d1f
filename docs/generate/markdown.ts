/** The pieces of Markdown that generated pages are made of. */

export const code = (text: string): string => `\`${text}\``;

/** A `|` in a cell would end it. */
const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

const WIDTH = 100;

/** Text in lines of at most 100 columns. */
export function paragraph(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join("\n");
}

/** Blocks with a line between each two. */
export const page = (...blocks: readonly string[]): string => `${blocks.join("\n\n")}\n`;

/**
 * A written page with the text between two comments, `<!-- generated: name -->` and `<!-- end
 * -->`, made anew.
 */
export function withPart(written: string, name: string, part: string): string {
  const [begin, end] = [`<!-- generated: ${name} -->\n`, "\n<!-- end -->"];
  const from = written.indexOf(begin);
  const to = written.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`A page must have the comment "generated: ${name}", and "end" behind it.`);
  return written.slice(0, from + begin.length) + part + written.slice(to);
}
