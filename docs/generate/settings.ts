/** Tables of settings as tables of Markdown. */
import { type Setting, type Table, tableOf } from "../../lib/util/setting.ts";
import { code, table } from "./markdown.ts";

/** Columns beside name, default and meaning. */
type Column = "kind" | "variable" | "levels";

const HEADS: Readonly<Record<Column, string>> = { kind: "must be", variable: "variable", levels: "may stand at" };

export interface Shown {
  readonly columns: readonly Column[];
  /** Where settings that are objects are described, by their name. */
  readonly links?: Readonly<Record<string, string>>;
  readonly levelsOf?: (name: string) => string;
}

export function settingsTable(rows: Table, { columns, links = {}, levelsOf = () => "" }: Shown): string {
  return table(
    ["name", "default", ...columns.map((column) => HEADS[column]), "meaning"],
    Object.entries(rows).map(([name, row]) => {
      const cells: Record<Column, string> = {
        kind: links[name] ?? kindOf(row),
        variable: row.variable === undefined ? "" : code(row.variable),
        levels: levelsOf(name),
      };
      return [code(name), defaultOf(row), ...columns.map((column) => cells[column]), `${row.description}.`];
    }),
  );
}

export function variablesTable(rows: Table): string {
  const named = Object.values(rows).filter(({ variable }) => variable !== undefined);
  return table(
    ["variable", "default", "meaning"],
    named.map((row) => [code(row.variable ?? ""), variableDefaultOf(row), `${row.description}.`]),
  );
}

/** The words of a refusal, without its example. */
function kindOf({ kind }: Setting): string {
  return kind.expects.replace(/,? such as .*$/, "").replaceAll(/"(\w+)"/g, code("$1"));
}

function defaultOf({ presence, default: value, kind }: Setting): string {
  if (presence === "required") return "required";
  if (presence === "alias") return "";
  if (value === undefined) return "none";
  if (tableOf(kind) !== undefined && Object.keys(value as object).length === 0) return "";
  if (typeof value === "number") return isDuration(kind.schema) ? `${numberText(value)} ms` : sizeText(value);
  return code(typeof value === "string" ? value : plain(value));
}

/** As one writes it into an environment. */
function variableDefaultOf({ default: value }: Setting): string {
  if (value === undefined) return "none";
  if (typeof value === "boolean") return code(value ? "1" : "0");
  if (Array.isArray(value)) return code(value.join(","));
  return code(typeof value === "string" ? value : plain(value));
}

const isDuration = (schema: Readonly<Record<string, unknown>>): boolean =>
  String(schema["format"]).startsWith("taskflow-duration");
const numberText = (value: number): string => value.toLocaleString("en-US");

function sizeText(value: number): string {
  if (value >= 1024 ** 2 && value % 1024 ** 2 === 0) return `${numberText(value / 1024 ** 2)} MiB`;
  return value >= 1024 && value % 1024 === 0 ? `${numberText(value / 1024)} KiB` : numberText(value);
}

/** JSON as one writes it in code. */
export function plain(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll(/"(\w+)":/g, "$1: ")
    .replaceAll(/,/g, ", ")
    .replaceAll(/^\{(.+)\}$/g, "{ $1 }");
}
