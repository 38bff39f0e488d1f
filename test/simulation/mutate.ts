/**
 * The simulator with a mutant of the engine: one source is changed while it is loaded, so that the
 * engine knows nothing of tests. Each import is a module graph of its own (its URLs end in
 * `?mutant=N`), so that one process can run one mutant after another.
 */
import { readFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { MUTANTS } from "./mutants.ts";
import type { Mutant } from "./mutant.ts";
import type * as simulation from "./simulate-many.ts";

/** The sources that no mutant changes, without their types. */
const stripped = new Map<string, string>();

registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context);
    const query = /\?mutant=\d+$/.exec(context.parentURL ?? "")?.[0];
    const isOurs = resolved.url.startsWith("file:") && !resolved.url.includes("/node_modules/");
    return query !== undefined && isOurs ? { ...resolved, url: resolved.url + query } : resolved;
  },
  load(url, context, nextLoad) {
    const [, file, number] = /^(.+)\?mutant=(\d+)$/.exec(url) ?? [];
    if (file === undefined) return nextLoad(url, context);
    return { format: "module", source: sourceOf(file, MUTANTS[Number(number)]?.change), shortCircuit: true };
  },
});

function sourceOf(url: string, change: Mutant["change"]): string {
  if (change && url.endsWith(`/${change[0]}`))
    return stripTypeScriptTypes(mutated(readFileSync(fileURLToPath(url), "utf8"), change));
  const source = stripped.get(url) ?? stripTypeScriptTypes(readFileSync(fileURLToPath(url), "utf8"));
  stripped.set(url, source);
  return source;
}

function mutated(source: string, [file, from, to]: NonNullable<Mutant["change"]>): string {
  const pieces = source.split(from);
  if (pieces.length === 2) return pieces.join(to);
  throw new Error(`A mutant changes text that must occur once in ${file}, and occurs ${pieces.length - 1} times: ${from}`);
}

/** A mutant without a change of the engine is one of the fakes, which know it by its title. */
export async function simulateMutant(title: string, first: number, count: number): Promise<simulation.Simulation> {
  const number = MUTANTS.findIndex((mutant) => mutant.title === title);
  const mutant = MUTANTS[number];
  if (!mutant) throw new Error(`There is no mutant "${title}". There are: ${MUTANTS.map((one) => one.title).join(", ")}.`);
  const { simulateMany } = (await import(`./simulate-many.ts?mutant=${number}`)) as typeof simulation;
  return simulateMany(first, count, new Set(mutant.change ? [] : [title]));
}
