/**
 * Encodes texts and field names for MongoDB. BSON is UTF-8: a lone surrogate would come back as
 * another character, a field name ends at NUL, and dots and dollars in one have a meaning in
 * queries. Such characters are stored as two of a private plane of Unicode; all other text, so
 * nearly every one, stays as it is.
 */

const BASE = 0xf_00_00;
/** Starts an escape: `MARK` and `BASE` + n. */
const MARK = String.fromCodePoint(BASE + 0x8_00);
/** From this n on, n stands for an ASCII character; below 0x800, for a surrogate. */
const ASCII = 0x9_00;
/** Separates two texts; no encoded text contains it. */
export const SEPARATOR = MARK + String.fromCodePoint(BASE + 0xa_00);
const EMPTY_KEY = MARK + String.fromCodePoint(BASE + 0xa_01);

export function encodeText(text: string): string {
  return text.isWellFormed() && !text.includes("\0") && !text.includes(MARK) ? text : encode(text, "\0");
}

export function decodeText(text: string): string {
  return text.includes(MARK) ? decode(text) : text;
}

export function encodeKey(key: string): string {
  return /^[\w:-]+$/.test(key) ? key : key === "" ? EMPTY_KEY : encode(key, "\0.$");
}

export function decodeKey(key: string): string {
  return key === EMPTY_KEY ? "" : decodeText(key);
}

function encode(text: string, special: string): string {
  let encoded = "";
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code >= 0xd8_00 && code <= 0xdf_ff) encoded += escaped(code - 0xd8_00);
    else if (character === MARK) encoded += escaped(0x8_00);
    else if (special.includes(character)) encoded += escaped(ASCII + code);
    else encoded += character;
  }
  return encoded;
}

function escaped(n: number): string {
  return MARK + String.fromCodePoint(BASE + n);
}

function decode(text: string): string {
  let decoded = "";
  let isMarked = false;
  for (const character of text) {
    if (isMarked) {
      const n = character.codePointAt(0)! - BASE;
      decoded += n === 0x8_00 ? MARK : String.fromCharCode(n < 0x8_00 ? 0xd8_00 + n : n - ASCII);
      isMarked = false;
    } else if (character === MARK) isMarked = true;
    else decoded += character;
  }
  return decoded;
}
