/**
 * Checks the settings of a constructor or of the environment like a definition: an unknown name is
 * refused with its path and the nearest name, a value with its requirement, and all problems are
 * listed at once.
 */
import { contradiction, type Problem, placeOf, pointerStep, unknownKey } from "../util/problem.ts";
import { taskflowError, type TaskflowError } from "../errors/errors.ts";
import { describeValue } from "../util/describe-value.ts";
import { isRecord } from "../util/record.ts";
import { aliasesOf, type GivenOf, isContradicted, refusalOf, type Setting, type Table, tableOf } from "../util/setting.ts";

/**
 * Returns `given`, typed.
 * @throws TASKFLOW_VALIDATION_ERROR with all problems; its message begins with `what`
 */
export function checkSettings<T extends Table>(what: string, table: T, given: unknown): GivenOf<T> {
  const problems = settingProblems(table, given, "");
  if (problems.length > 0) throw settingsError(what, problems);
  return given as GivenOf<T>;
}

export function settingProblems(table: Table, given: unknown, path: string): Problem[] {
  if (!isRecord(given))
    return [{ path, message: `${placeOf(path, "options")} must be an object, got ${describeValue(given)}.`, keyword: "type" }];
  const missing = Object.entries(table).flatMap(([name, row]) =>
    row.presence === "required" && given[name] === undefined ? [missingProblem(path + pointerStep(name), row)] : [],
  );
  const wrong = Object.entries(given).flatMap(([name, value]): Problem[] => {
    if (value === undefined) return [];
    const place = path + pointerStep(name);
    const row = Object.hasOwn(table, name) ? table[name] : undefined;
    if (row === undefined) return [unknownProblem(place, name, Object.keys(table))];
    return valueProblems(row, value, place);
  });
  const contradicted = aliasesOf(table)
    .filter((each) => isContradicted(each, given))
    .map(({ alias, name }) => contradiction(path + pointerStep(alias), name, given[alias]));
  return [...wrong, ...missing, ...contradicted];
}

/** @param place how the message names the value */
export function valueProblems({ kind }: Setting, value: unknown, path: string, place = path, shown = value): Problem[] {
  const inner = tableOf(kind);
  if (inner !== undefined) return settingProblems(inner, value, path);
  if (kind.read(value) !== undefined) return [];
  return [{ path, message: refusalOf(place, kind, value, shown), keyword: "type" }];
}

export function unknownProblem(path: string, name: string, known: readonly string[], place = path): Problem {
  return { path, message: `${place} ${unknownKey(name, known)}`, keyword: "additionalProperties" };
}

function missingProblem(path: string, { kind }: Setting): Problem {
  return { path, message: `${path} is required: it must be ${kind.expects}.`, keyword: "required" };
}

/** Says all of it in the message, for a process that does not start shows nothing else. */
export function settingsError(what: string, problems: readonly Problem[]): TaskflowError {
  const sentences = problems.map(({ message }) => message);
  const text = sentences.length === 1 ? ` ${sentences[0]}` : sentences.map((sentence) => `\n- ${sentence}`).join("");
  return taskflowError("TASKFLOW_VALIDATION_ERROR", `${what} are not valid:${text}`, problems);
}
