/**
 * Validates the params of `importTaskflow`, which may come from anywhere. Replaying the facts shows
 * whether they are consistent (`core/commands/import.ts`).
 */
import { ACTIONS } from "../../schemas/actions/index.ts";
import { EntrySchema } from "../../schemas/export.schema.ts";
import { CONTEXT_KEY } from "../protocol/names.ts";
import type { Compacted, Created, Entry } from "../core/journal/facts.ts";
import { restoreEntry, type StoredEntry } from "../core/journal/journal.ts";
import { compileFast, compileThorough } from "./ajv.ts";
import { byteLengthOver, encodeJson } from "./encode.ts";
import { FACT_SCHEMAS } from "./fact-schemas.ts";
import { placeOf, type Problem } from "../util/problem.ts";
import { ProblemList } from "./problems.ts";
import { describeValue } from "../util/describe-value.ts";
import type { DefinitionContext } from "./rule-context.ts";
import { addSchemaProblems } from "./schema-problems.ts";
import { validateTaskflow } from "./definition.ts";

export type ExportValidation =
  { readonly ok: true; readonly journal: readonly Entry[] } | { readonly ok: false; readonly problems: Problem[] };

interface Checker {
  readonly schema: object;
  readonly isValid: (value: unknown) => boolean;
  readonly errors: ReturnType<typeof compileThorough>;
}

const checker = (schema: object): Checker => ({
  schema,
  isValid: compileFast(schema) as (value: unknown) => boolean,
  errors: compileThorough(schema),
});

const exportChecker = checker(ACTIONS.importTaskflow.params);
const entryChecker = checker(EntrySchema);
const factCheckers = new Map(Object.entries(FACT_SCHEMAS).map(([kind, schema]) => [kind, checker(schema)]));

/** Levels of nested objects and arrays: later walks over them are recursive. */
const MAX_DEPTH = 1_000;

/**
 * Tasks and stages visited by the replay, in all. A long history of a large taskflow has less than
 * a tenth.
 */
const MAX_WORK = 100_000_000;

/** Never throws. */
export function validateExport(params: unknown, context: DefinitionContext): ExportValidation {
  const { limits } = context;
  const encoded = encodeJson(params, Number.MAX_SAFE_INTEGER);
  if (!encoded.ok) return { ok: false, problems: [encoded.problem] };
  const bytes = byteLengthOver(encoded.text, limits.importBytes);
  if (bytes !== undefined) {
    const message = `params must have at most ${limits.importBytes} bytes of JSON, got ${bytes}: raise settings.limits.importBytes.`;
    return refused({ path: "", message, keyword: "importBytes", limit: limits.importBytes });
  }
  const { value } = encoded;
  if (isDeeper(value, MAX_DEPTH)) {
    const message = `params must have at most ${MAX_DEPTH} levels of objects and arrays, got more: this is not an export.`;
    return refused({ path: "", message, keyword: "jsonDepth", limit: MAX_DEPTH });
  }
  const problems = new ProblemList();
  if (check(exportChecker, value, "", problems)) checkEntries((value as { entries: unknown[] }).entries, problems);
  if (!problems.isEmpty) return { ok: false, problems: problems.toArray() };
  const { entries, revision } = value as { entries: StoredEntry[]; revision: number };
  const definition = checkCreated(entries, context, problems);
  if (definition && workOf(entries, definition) > MAX_WORK) {
    problems.add({
      path: "/entries",
      message: "/entries must be the journal of a taskflow: replaying these would take too long.",
      keyword: "work",
      limit: MAX_WORK,
    });
  }
  if (revision !== entries.length) {
    const message = `/revision must be the number of entries, ${entries.length}, got ${revision}: give the whole export.`;
    problems.add({ path: "/revision", message, value: revision, keyword: "revision" });
  }
  if (!definition || !problems.isEmpty) return { ok: false, problems: problems.toArray() };
  return { ok: true, journal: withDefinition(entries, definition).map(restoreEntry) };
}

const refused = (problem: Problem): ExportValidation => ({ ok: false, problems: [problem] });

function check({ schema, isValid, errors }: Checker, value: unknown, path: string, problems: ProblemList): boolean {
  if (isValid(value)) return true;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    problems.add({
      path,
      message: `${placeOf(path)} must be an object, got ${describeValue(value)}.`,
      keyword: "type",
    });
  } else addSchemaProblems(schema, errors(), value, path, problems);
  return false;
}

function checkEntries(entries: readonly unknown[], problems: ProblemList): void {
  entries.forEach((entry, index) => {
    const path = `/entries/${index}`;
    if (problems.isFull || !check(entryChecker, entry, path, problems)) return;
    (entry as { facts: unknown[] }).facts.forEach((fact, place) => {
      if (!problems.isFull) checkFact(fact, `${path}/facts/${place}`, index === 0 && place === 0, problems);
    });
  });
}

function checkFact(fact: unknown, path: string, isFirst: boolean, problems: ProblemList): void {
  const kind: unknown = typeof fact === "object" && fact !== null && "kind" in fact ? fact.kind : undefined;
  const known = typeof kind === "string" ? factCheckers.get(kind) : undefined;
  if (!known) {
    const kinds = Array.from(factCheckers.keys()).join(", ");
    const message = `${path}/kind must be one of ${kinds}, got ${describeValue(kind)}.`;
    problems.add({ path: `${path}/kind`, message, keyword: "enum" });
  } else if ((kind === "created") !== isFirst) {
    const message = isFirst
      ? `${path}/kind must be "created", got ${describeValue(kind)}.`
      : `${path}/kind must not be "created" again: only the first fact is.`;
    problems.add({ path: `${path}/kind`, message, keyword: "created" });
  } else if (check(known, fact, path, problems) && kind === "compacted") checkResponses(fact as Compacted, path, problems);
}

/** Responses in a snapshot are JSON texts, which go into answers as they are. */
function checkResponses({ tasks = [] }: Compacted, path: string, problems: ProblemList): void {
  for (const [index, { response, pendingResponse }] of tasks.entries()) {
    if (isJson(response) && isJson(pendingResponse)) continue;
    const place = `${path}/tasks/${index}`;
    problems.add({ path: place, message: `${place} must have responses that are JSON texts.`, keyword: "format" });
  }
}

/** Encoded as the engine does it: no other white space, no other order of the same text. */
function isJson(text: string | null | undefined): boolean {
  if (text === null || text === undefined) return true;
  try {
    return JSON.stringify(JSON.parse(text)) === text;
  } catch {
    return false;
  }
}

type Definition = Created["definition"];

/** Validates the definition as if it were produced here: this service must allow its actions. */
function checkCreated(
  entries: readonly StoredEntry[],
  context: DefinitionContext,
  problems: ProblemList,
): Definition | undefined {
  const first = entries[0]?.facts[0];
  if (first?.kind !== "created") {
    problems.add({
      path: "/entries/0/facts",
      message: '/entries/0/facts must begin with the fact "created".',
      keyword: "created",
    });
    return undefined;
  }
  const checked = validateTaskflow(first.definition, context);
  if (checked.ok) {
    const { taskflowId: _, ...definition } = checked.definition;
    return definition;
  }
  const place = "/entries/0/facts/0/definition";
  for (const problem of checked.problems) {
    const message = problem.message.replace(problem.path === "" ? /^params\b/ : problem.path, place + problem.path);
    problems.add({ ...problem, path: place + problem.path, message });
  }
  return undefined;
}

/** A lower bound for the cost of the replay, in visited tasks, stages and nested taskflows. */
function workOf(entries: readonly StoredEntry[], { stages }: Definition): number {
  const children = new Map<number, number>();
  const size = stages.reduce((sum, { tasks }) => sum + 1 + tasks.length, 0);
  let linked = 0;
  let work = 0;
  for (const { facts } of entries) {
    for (const fact of facts) {
      if (fact.kind === "stage") work += stages[fact.stage]?.tasks.length ?? 0;
      else if (fact.kind === "flow") work += size;
      else if (fact.kind === "compensating") work += fact.tasks.length;
      else if (fact.kind === "child-ended") work += linked;
      else if (fact.kind === "linked") {
        const siblings = (children.get(fact.task) ?? 0) + 1;
        children.set(fact.task, siblings);
        linked++;
        work += siblings;
      }
    }
  }
  return work;
}

function withDefinition([first, ...others]: readonly StoredEntry[], definition: Definition): StoredEntry[] {
  const { at = 0, facts = [] } = first ?? {};
  const [created, ...rest] = facts;
  const meta = ownMeta((created as Created).meta);
  return [{ at, facts: [{ ...(created as Created), definition, meta }, ...rest] }, ...others];
}

/** Drops Moleculer's own keys, and the key that would replace the prototype when meta is merged. */
function ownMeta(meta: Created["meta"]): Created["meta"] {
  const isOwn = (key: string): boolean => key !== CONTEXT_KEY && key !== "__proto__" && !key.startsWith("$");
  return Object.fromEntries(Object.entries(meta).filter(([key]) => isOwn(key)));
}

/** Level by level instead of recursively: the value may have any depth. */
function isDeeper(value: unknown, limit: number): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true;
    level = level.flatMap(containersIn);
  }
  return false;
}

function containersIn(value: unknown): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return (Object.values(value) as unknown[]).filter((inner) => typeof inner === "object");
}
