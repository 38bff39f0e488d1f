/** Answers to commands that have to fit into one message: a retry names every task that runs again. */
import { bytesOf } from "./queries/truncate.ts";

type Json = Readonly<Record<string, unknown>>;

/** `,"truncated":true`, and what stands around a list. */
const FRAME = 64;

/** The same if it fits; else with lists that are cut, and `truncated: true`. */
export function fitAnswer(data: Json, maxBytes: number): Json {
  if (bytesOf(data) <= maxBytes) return data;
  const lists = Object.entries(data).filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]));
  const fitted: Record<string, unknown> = { ...data, truncated: true };
  for (const [key] of lists) fitted[key] = [];
  let left = maxBytes - bytesOf(fitted) - FRAME;
  for (const [key, list] of lists) {
    const kept: unknown[] = [];
    for (const each of list) {
      left -= bytesOf(each) + 1;
      if (left < 0) break;
      kept.push(each);
    }
    fitted[key] = kept;
  }
  return fitted;
}
