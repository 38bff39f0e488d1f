/** Tables inside pages that people write. */
import { type CatalogueEntry, ERRORS } from "../../lib/errors/catalogue.ts";
import { REASONS } from "../../schemas/reasons.ts";
import { code, table } from "./markdown.ts";

export function reasonsTable(): string {
  return table(
    ["code", "what it says"],
    Object.entries(REASONS).map(([name, meaning]) => [code(name), meaning]),
  );
}

export function errorsTable(kind: CatalogueEntry["kind"]): string {
  const rows = Object.entries<CatalogueEntry>(ERRORS).filter(([, entry]) => entry.kind === kind);
  return table(
    ["type", "code", "meaning", "what to do"],
    rows.map(([type, { code: status, meaning, whatToDo }]) => [code(type), `${status}`, meaning, whatToDo]),
  );
}
