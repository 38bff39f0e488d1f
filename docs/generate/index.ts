/**
 * Pages, and parts of pages, that are made of the tables that the code reads. `npm run
 * docs:generate` writes them; test/docs.test.ts holds the committed ones equal to them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { actionsPage } from "./actions-page.ts";
import { withPart } from "./markdown.ts";
import { environmentTable, optionsPage } from "./options-page.ts";
import { errorsTable, reasonsTable } from "./reference-tables.ts";
import { statusesPage } from "./statuses-page.ts";

const ROOT = join(import.meta.dirname, "../..");

const PAGES: Readonly<Record<string, () => string>> = {
  "docs/actions.md": actionsPage,
  "docs/options.md": optionsPage,
  "docs/statuses.md": statusesPage,
};

/** By the page, then by the name in its comment. */
const PARTS: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  "README.md": { variables: environmentTable },
  "docs/explain.md": { reasons: reasonsTable },
  "docs/errors.md": {
    "errors of actions": () => errorsTable("action"),
    "errors of tasks": () => errorsTable("task"),
    "errors of handlers": () => errorsTable("handler"),
  },
};

/** Path and text of each page that is generated, wholly or in part. */
export function generatedPages(): [path: string, text: string][] {
  const whole = Object.entries(PAGES).map(([path, make]): [string, string] => [path, make()]);
  const inPart = Object.entries(PARTS).map(([path, parts]): [string, string] => {
    const written = readFileSync(join(ROOT, path), "utf8");
    return [path, Object.entries(parts).reduce((text, [name, make]) => withPart(text, name, make()), written)];
  });
  return [...whole, ...inPart];
}

if (process.argv[1] === import.meta.filename) {
  for (const [path, text] of generatedPages()) writeFileSync(join(ROOT, path), text);
}
