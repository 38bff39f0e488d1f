/**
 * What `importTaskflow` takes, checked whole: it may come from anywhere. That the facts follow from one another shows when they are replayed
 * (`core/copy.ts`).
 */
import { ACTIONS } from "../../schemas/actions/index.ts";
import { EntrySchema } from "../../schemas/export.schema.ts";
import { CONTEXT_KEY } from "../protocol/names.ts";
import type { Created, Entry } from "../core/journal/facts.ts";
import { restoreEntry, type StoredEntry } from "../core/journal/journal.ts";
import { compileFast, compileThorough } from "./ajv.ts";
import { byteLengthOver, encodeJson } from "./encode.ts";
import { FACT_SCHEMAS } from "./fact-schemas.ts";
import type { Problem } from "../util/problem.ts";
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

const whole = checker(ACTIONS.importTaskflow.params);
const entry = checker(EntrySchema);
const facts = new Map(Object.entries(FACT_SCHEMAS).map(([kind, schema]) => [kind, checker(schema)]));

/** Objects and arrays inside one another: whoever walks over them later does so recursively. */
const MOST_DEPTH = 1_000;

/** Tasks and stages that replaying looks at, in all. A long history of a large taskflow has less than a tenth of it. */
const MOST_WORK = 100_000_000;

/** Never throws, whatever is given. */
export function validateExport(params: unknown, context: DefinitionContext): ExportValidation {
  const { limits } = context;
  const encoded = encodeJson(params, Number.MAX_SAFE_INTEGER);
  if (!encoded.ok) return { ok: false, problems: [encoded.problem] };
  const bytes = byteLengthOver(encoded.text, limits.importBytes);
  if (bytes !== undefined) {
    const message = `The whole is ${bytes} bytes of JSON, over the limit of ${limits.importBytes}: raise settings.limits.importBytes.`;
    return refused({ path: "", message, keyword: "importBytes", limit: limits.importBytes });
  }
  const { value } = encoded;
  if (isDeeper(value, MOST_DEPTH)) {
    const message = `The whole holds objects and arrays more than ${MOST_DEPTH} deep inside one another: it is no export.`;
    return refused({ path: "", message, keyword: "jsonDepth", limit: MOST_DEPTH });
  }
  const problems = new ProblemList();
  if (check(whole, value, "", problems)) checkEntries((value as { entries: unknown[] }).entries, problems);
  if (!problems.isEmpty) return { ok: false, problems: problems.toArray() };
  const { entries, revision } = value as { entries: StoredEntry[]; revision: number };
  const definition = checkCreated(entries, context, problems);
  if (definition && workOf(entries, definition) > MOST_WORK) {
    problems.add({
      path: "/entries",
      message: "/entries take too long to replay: this is no journal of a taskflow.",
      keyword: "work",
      limit: MOST_WORK,
    });
  }
  if (revision !== entries.length) {
    const message = `/revision is ${revision}, and there are ${entries.length} entries: give the whole export.`;
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
      message: `${path === "" ? "The whole" : path} is ${describeValue(value)}: give an object.`,
      keyword: "type",
    });
  } else addSchemaProblems(schema, errors(), value, path, problems);
  return false;
}

function checkEntries(entries: readonly unknown[], problems: ProblemList): void {
  entries.forEach((each, index) => {
    const path = `/entries/${index}`;
    if (problems.isFull || !check(entry, each, path, problems)) return;
    (each as { facts: unknown[] }).facts.forEach((fact, place) => {
      if (!problems.isFull) checkFact(fact, `${path}/facts/${place}`, index === 0 && place === 0, problems);
    });
  });
}

function checkFact(fact: unknown, path: string, isFirst: boolean, problems: ProblemList): void {
  const kind: unknown = typeof fact === "object" && fact !== null && "kind" in fact ? fact.kind : undefined;
  const known = typeof kind === "string" ? facts.get(kind) : undefined;
  if (!known) {
    const message = `${path}/kind is ${describeValue(kind)}: this version knows ${Array.from(facts.keys()).join(", ")}.`;
    problems.add({ path: `${path}/kind`, message, keyword: "enum" });
  } else if ((kind === "created") !== isFirst) {
    const message = isFirst ? `${path} has to be of the kind "created".` : `${path} is "created" a second time.`;
    problems.add({ path: `${path}/kind`, message, keyword: "created" });
  } else check(known, fact, path, problems);
}

type Definition = Created["definition"];

/** The definition is checked as if it were produced here: its actions have to be allowed here. */
function checkCreated(
  entries: readonly StoredEntry[],
  context: DefinitionContext,
  problems: ProblemList,
): Definition | undefined {
  const first = entries[0]?.facts[0];
  if (first?.kind !== "created") {
    problems.add({
      path: "/entries/0/facts",
      message: '/entries/0/facts has to begin with the fact "created".',
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
    const message =
      problem.path === "" ? `${place}: ${problem.message}` : problem.message.replace(problem.path, place + problem.path);
    problems.add({ ...problem, path: place + problem.path, message });
  }
  return undefined;
}

/** What replaying it costs at least, in tasks, stages and nested taskflows that are looked at. */
function workOf(entries: readonly StoredEntry[], { stages }: Definition): number {
  const children = new Map<number, number>();
  const size = stages.reduce((sum, { tasks }) => sum + 1 + tasks.length, 0);
  let linked = 0;
  let work = 0;
  for (const { facts: each } of entries) {
    for (const fact of each) {
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
  const { at = 0, facts: each = [] } = first ?? {};
  const [created, ...rest] = each;
  const meta = ownMeta((created as Created).meta);
  return [{ at, facts: [{ ...(created as Created), definition, meta }, ...rest] }, ...others];
}

/** Without what is Moleculer's own, or would be taken for an object's inside when it is merged. */
function ownMeta(meta: Created["meta"]): Created["meta"] {
  const isOwn = (key: string): boolean => key !== CONTEXT_KEY && key !== "__proto__" && !key.startsWith("$");
  return Object.fromEntries(Object.entries(meta).filter(([key]) => isOwn(key)));
}

/** Level by level, for it may be of any depth. */
function isDeeper(value: unknown, most: number): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > most) return true;
    level = level.flatMap(containersIn);
  }
  return false;
}

function containersIn(value: unknown): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return (Object.values(value) as unknown[]).filter((inner) => typeof inner === "object");
}
