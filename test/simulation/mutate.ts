/** Puts a planted bug into the engine: its source is changed on the way into this process, so that nothing in it knows of tests. */
import { registerHooks } from "node:module";
import { MUTANTS } from "./mutants.ts";

/** Before anything of the engine is loaded. Returns the bugs that the fakes have to make themselves. */
export function mutate(title: string): ReadonlySet<string> {
  const bug = MUTANTS.find((one) => one.title === title);
  if (!bug) throw new Error(`There is no bug "${title}". There are: ${MUTANTS.map((one) => one.title).join(", ")}.`);
  if (!bug.change) return new Set([title]);
  const [file, from, to] = bug.change;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.endsWith(`/${file}`)) return loaded;
      const source = typeof loaded.source === "string" ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString();
      const pieces = source.split(from);
      if (pieces.length !== 2) {
        throw new Error(
          `The bug "${title}" is to be planted in ${file} in place of what stands there ${pieces.length - 1} times: ${from}`,
        );
      }
      return { ...loaded, source: pieces.join(to) };
    },
  });
  return new Set();
}
