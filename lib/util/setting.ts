/**
 * Tables of settings: each row is a name with its kind, default and description. Types, checks,
 * JSON Schemas and pages of the documentation derive from the tables.
 */
import { describeValue } from "./describe-value.ts";
import type { JsonSchema, Kind } from "./kind.ts";
import { isRecord } from "./record.ts";

type Presence = "required" | "default" | "optional" | "alias";

export interface Setting<Given = unknown, Value = unknown, P extends Presence = Presence> {
  readonly presence: P;
  readonly kind: Kind<Given, Value>;
  /** For the documentation: sentences, the last without its full stop. */
  readonly description: string;
  /** In the written form. */
  readonly default?: Given | undefined;
  /** The environment variable that applies if the setting is absent. */
  readonly variable?: string | undefined;
  /** The setting for which this is an alias. */
  readonly aliasOf?: string | undefined;
}

export type Table = Readonly<Record<string, Setting>>;

type NamesOf<T extends Table, P extends Presence> = { [K in keyof T]: T[K]["presence"] extends P ? K : never }[keyof T];
type GivenBy<S> = S extends Setting<infer G> ? G : never;
type ReadFrom<S> = S extends Setting<infer _, infer V> ? V : never;
type Flat<T> = { [K in keyof T]: T[K] };

/** The written form: an object with some of the settings. */
export type GivenOf<T extends Table> = Flat<
  { -readonly [K in NamesOf<T, "required">]: GivenBy<T[K]> } & {
    -readonly [K in Exclude<keyof T, NamesOf<T, "required">>]?: GivenBy<T[K]>;
  }
>;

/** The values: all settings with a default, and the others if they were given. */
export type ValuesOf<T extends Table> = Flat<
  { readonly [K in NamesOf<T, "required" | "default">]: ReadFrom<T[K]> } & {
    readonly [K in NamesOf<T, "optional">]?: ReadFrom<T[K]>;
  }
>;

interface Described {
  readonly description: string;
  readonly variable?: string;
}

/** A setting with a default. */
export function setting<G, V>(kind: Kind<G, V>, row: Described & { readonly default: NoInfer<G> }): Setting<G, V, "default"> {
  return { presence: "default", kind, ...row };
}

/** A setting without a default. */
export function optional<G, V>(kind: Kind<G, V>, row: Described): Setting<G, V, "optional"> {
  return { presence: "optional", kind, ...row };
}

export function required<G, V>(kind: Kind<G, V>, row: Described): Setting<G, V, "required"> {
  return { presence: "required", kind, ...row };
}

/** Another name of a setting of the same table, which stands before it. */
export function aliasFor<G, V>(kind: Kind<G, V>, aliasOf: string): Setting<G, V, "alias"> {
  return { presence: "alias", kind, aliasOf, description: `Another name of \`${aliasOf}\`` };
}

/** A setting that is a table itself. */
export interface Group<T extends Table> extends Kind<GivenOf<T>, ValuesOf<T>> {
  readonly table: T;
}

export function group<const T extends Table>(table: T): Group<T> {
  return {
    table,
    expects: "an object",
    schema: schemaOf(table),
    valueSchema: valueSchemaOf(table),
    read: (given) => (isRecord(given) ? valuesOf(table, given as GivenOf<T>) : undefined),
  };
}

/** The table of a group; undefined for any other kind. */
export function tableOf(kind: Kind): Table | undefined {
  return "table" in kind ? (kind as Group<Table>).table : undefined;
}

/** `base`, overridden by `given`. Frozen. @throws RangeError for a value that is not of its kind */
export function valuesOf<T extends Table>(table: T, given: GivenOf<T>, base: ValuesOf<T> = defaultsOf(table)): ValuesOf<T> {
  const written: Readonly<Record<string, unknown>> = given;
  const values: Record<string, unknown> = { ...base };
  for (const name of Object.keys(written)) {
    const row = table[name];
    if (row === undefined || written[name] === undefined) continue;
    const { aliasOf, kind } = row;
    if (aliasOf === undefined) values[name] = readOne(name, kind, written[name]);
    else if (written[aliasOf] === undefined) values[aliasOf] = readOne(name, kind, written[name]);
  }
  return Object.freeze(values) as ValuesOf<T>;
}

/** `given` with aliases replaced by the settings' own names, which take precedence. */
export function withoutAliases<T extends Table>(table: T, given: GivenOf<T>): GivenOf<T> {
  const written: Readonly<Record<string, unknown>> = given;
  const own: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(written)) {
    const { aliasOf } = table[name] ?? {};
    if (aliasOf === undefined) own[name] = value;
    else own[aliasOf] = written[aliasOf] ?? value;
  }
  return own as GivenOf<T>;
}

export interface Alias {
  readonly alias: string;
  readonly name: string;
}

/** The aliases of a table, with the settings they stand for. */
export function aliasesOf(table: Table): Alias[] {
  return Object.entries(table).flatMap(([alias, { aliasOf }]) => (aliasOf === undefined ? [] : [{ alias, name: aliasOf }]));
}

/** Both are given, and say different things. */
export function isContradicted({ alias, name }: Alias, given: Readonly<Record<string, unknown>>): boolean {
  return given[alias] !== undefined && given[name] !== undefined && given[alias] !== given[name];
}

const defaults = new WeakMap<Table, object>();

/** Frozen, and the same object for each call with a table. */
export function defaultsOf<T extends Table>(table: T): ValuesOf<T> {
  const known = defaults.get(table);
  if (known !== undefined) return known as ValuesOf<T>;
  const values: Record<string, unknown> = {};
  for (const [name, row] of Object.entries<Setting>(table)) {
    if (row.presence === "default") values[name] = readOne(name, row.kind, row.default);
  }
  defaults.set(table, Object.freeze(values));
  return values as ValuesOf<T>;
}

function readOne(name: string, kind: Kind, given: unknown): unknown {
  const value = kind.read(given);
  if (value !== undefined) return value;
  throw new RangeError(refusalOf(name, kind, given));
}

/**
 * Why a value is refused, without credentials of a URL. @param shown the value as it was written
 */
export function refusalOf(place: string, kind: Kind, given: unknown, shown = given): string {
  const written = typeof shown === "string" ? shown.replace(/:.*@/, ":…@") : shown;
  return `${place} must be ${kind.expects}${kind.got?.(given) ?? `, got ${describeValue(written)}`}.`;
}

/** JSON Schema of the written form. */
export function schemaOf(table: Table): JsonSchema {
  const rows = Object.entries(table);
  return {
    type: "object",
    properties: Object.fromEntries(
      rows.map(([name, { kind, description, default: value }]) => [
        name,
        { ...kind.schema, description, ...(value === undefined ? {} : { default: value }) },
      ]),
    ),
    required: rows.filter(([, { presence }]) => presence === "required").map(([name]) => name),
    additionalProperties: false,
  };
}

/** JSON Schema of the values. */
export function valueSchemaOf(table: Table): JsonSchema {
  const rows = Object.entries(table).filter(([, { presence }]) => presence !== "alias");
  return {
    type: "object",
    properties: Object.fromEntries(rows.map(([name, { kind }]) => [name, kind.valueSchema ?? kind.schema])),
    required: rows.filter(([, { presence }]) => presence !== "optional").map(([name]) => name),
    additionalProperties: false,
  };
}
