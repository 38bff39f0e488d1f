/**
 * Classifies errors of node:sqlite, which have no class but SQLite's result code in `errcode`. (Not
 * by `instanceof`: an error of Node's own modules is no Error of another realm, such as Jest's.)
 */

/** Primary result codes of SQLite. */
export const BUSY = 5;
export const READONLY = 8;
export const CORRUPT = 11;
export const FULL = 13;
export const CANTOPEN = 14;
const CONSTRAINT = 19;
export const NOTADB = 26;

/** SQLite's result code without its extended part; undefined for an error that is not SQLite's. */
export function primaryCode(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return undefined;
  return Number(error.errcode) & 0xff;
}

/** A unique key is taken. */
export function isConstraint(error: unknown): boolean {
  return primaryCode(error) === CONSTRAINT;
}

export function messageOf(error: unknown): string {
  return typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error);
}
