/**
 * Errors of node:sqlite: they have no class, but SQLite's result code in `errcode`. (Told by that
 * alone and not by `instanceof`: what Node's own modules throw is no Error of a realm other than
 * the main one, such as Jest's.)
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
