/**
 * Classifies errors of MongoDB's driver by name, code and shape, not by `instanceof`: a package may
 * be installed twice.
 */
import { recordOf } from "../../util/record.ts";

const DUPLICATE_KEY = 11_000;
const COMMAND_NOT_FOUND = 59;
const AUTHENTICATION_FAILED: ReadonlySet<number> = new Set([18, 8_000]);
const UNAUTHORIZED = 13;
/**
 * Bad value, failed to parse, type mismatch, a path through what is no object, updates that
 * contradict one another, index options or specification conflict, a regular expression that is
 * none.
 */
const MISTAKES: ReadonlySet<number> = new Set([2, 9, 14, 28, 40, 85, 86, 51_091]);
/** The driver's errors for a call that can never succeed. */
const MISUSE =
  /^(BSON\w*|MongoInvalidArgument|MongoMissing\w*|MongoAPI|MongoParse|MongoCompatibility|Type|Range|Reference)Error$/;

interface ErrorShape {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly writeErrors?: unknown;
  readonly result?: unknown;
}

const shapeOf = (error: unknown): ErrorShape => recordOf(error);

export function codeOf(error: unknown): number | undefined {
  const { code } = shapeOf(error);
  return typeof code === "number" ? code : undefined;
}

export function messageOf(error: unknown): string {
  const { message } = shapeOf(error);
  return typeof message === "string" ? message : String(error);
}

export function isCommandNotFound(error: unknown): boolean {
  return codeOf(error) === COMMAND_NOT_FOUND;
}

export function isDuplicateKey(error: unknown): boolean {
  return codeOf(error) === DUPLICATE_KEY;
}

/** A bug of the caller or of this code: rethrown unchanged. */
export function isMisuse(error: unknown): boolean {
  const { name } = shapeOf(error);
  return typeof name === "string" && MISUSE.test(name);
}

/** The server has answered, and would give the same answer again. */
export function isFinal(error: unknown): boolean {
  const code = codeOf(error);
  return (
    code !== undefined &&
    (code === UNAUTHORIZED || code === COMMAND_NOT_FOUND || AUTHENTICATION_FAILED.has(code) || MISTAKES.has(code))
  );
}

/**
 * The writes of an unordered bulk that met an existing id, if nothing else failed: then all others
 * are stored as safely as requested. Undefined for any other error, write concern errors included:
 * the outcome is unknown then.
 */
export function takenOf(error: unknown): ReadonlySet<number> | undefined {
  const { name, writeErrors, result } = shapeOf(error);
  if (name !== "MongoBulkWriteError" || !Array.isArray(writeErrors) || writeErrors.length === 0) return undefined;
  if (hasWriteConcernError(result)) return undefined;
  const taken = new Set<number>();
  for (const each of writeErrors as { code?: unknown; index?: unknown }[]) {
    if (each.code !== DUPLICATE_KEY || typeof each.index !== "number") return undefined;
    taken.add(each.index);
  }
  return taken;
}

function hasWriteConcernError(result: unknown): boolean {
  if (typeof result !== "object" || result === null || !("getWriteConcernError" in result)) return false;
  const { getWriteConcernError } = result;
  return typeof getWriteConcernError === "function" && getWriteConcernError.call(result) !== undefined;
}

/** Why a store cannot be opened, in a sentence that says what to do. */
export function explainOpening(error: unknown, name: string): Error {
  const code = codeOf(error);
  const why = messageOf(error);
  const sentence =
    code !== undefined && AUTHENTICATION_FAILED.has(code)
      ? `${name} refuses the user or the password: correct them in TASKFLOW_STORE, and percent-encode special characters`
      : code === UNAUTHORIZED
        ? `${name} does not let this user in: give it the role readWrite on the database, or name the right user in TASKFLOW_STORE`
        : code === 85 || code === 86
          ? `${name} has an index of the same name as one of moleculer-taskflow, but another one: remove it, or set another database in TASKFLOW_STORE`
          : isMisuse(error)
            ? `${name} cannot be used: correct the URL in TASKFLOW_STORE`
            : `${name} cannot be reached: see that MongoDB runs there and lets this machine in, or correct TASKFLOW_STORE`;
  return new Error(`The store ${sentence} (${why}).`, { cause: error });
}
