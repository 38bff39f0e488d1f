/**
 * docs/callbacks.md has a row for each callback of nats.js, Moleculer, timers and promises in the
 * adapters of the bus, in workers and in subscriptions, and for no other.
 */
import { expect, it } from "@jest/globals";
import { readText, repositoryFiles } from "./helpers/source-files.ts";

const FILES = repositoryFiles().filter((path) =>
  /^lib\/(adapters\/(nats|moleculer)\/|worker\/|client\/event-subscription|util\/timer).*\.ts$/.test(path),
);

/** A call that takes a callback, or whose promise nobody awaits. */
const SITES = [
  /\.(then|catch|finally|on|once|subscribe|listen|onStatus|addEventListener)\(/g,
  /(?<!function )\b(setTimeout|setInterval|setImmediate|queueMicrotask|nextTick|watchStatus)\(/g,
  /\b(for await) \(/g,
  // Not a type, and not a map's answer.
  /\b(void) (?=[\w#(])(?![\w.#]*\.delete\()/g,
  /\b(new Promise)(?:<[\w\s]+>)?\(/g,
];

/** Comments and imports call nothing. */
function codeOf(path: string): string {
  return readText(path)
    .replaceAll(/\/\*[^]*?\*\//g, "")
    .replaceAll(/^\s*\/\/.*$/gm, "")
    .replaceAll(/^(import|export) .* from .*$/gm, "");
}

function sitesIn(path: string): string[] {
  const code = codeOf(path);
  const counts = new Map<string, number>();
  for (const pattern of SITES) for (const [, call = ""] of code.matchAll(pattern)) counts.set(call, (counts.get(call) ?? 0) + 1);
  return Array.from(counts, ([call, count]) => `${path}: ${call} × ${count}`);
}

it("has a row in docs/callbacks.md for each callback, and no other", () => {
  const rows = [...readText("docs/callbacks.md").matchAll(/^\| `(lib\/[^`]+)` \| `([^`]+)` \| (\d+) \| (.+) \| (.+) \|$/gm)];
  const told = rows.map(([, path, call, count]) => `${path}: ${call} × ${count}`);
  expect(told.toSorted()).toEqual(FILES.flatMap(sitesIn).toSorted());
});

it("finds calls in code, and none in comments, types and definitions", () => {
  const found = sitesIn("lib/adapters/nats/status.ts");
  expect(found.toSorted()).toEqual([
    "lib/adapters/nats/status.ts: for await × 1",
    "lib/adapters/nats/status.ts: then × 1",
    "lib/adapters/nats/status.ts: void × 2",
  ]);
});
