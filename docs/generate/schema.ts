/** JSON Schemas as tables of Markdown: a row for each property. */
import { code, table } from "./markdown.ts";

export interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly SchemaNode[];
  readonly items?: SchemaNode;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly format?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly $id?: string;
  readonly $ref?: string;
}

/** How a schema is named where it stands in a table; undefined to write it out. */
export type Naming = (schema: SchemaNode) => string | undefined;

/** With a column of defaults where there is one. */
export function propertiesTable(schema: SchemaNode, nameOf: Naming, title = "field"): string {
  const { properties = {}, required = [] } = schema;
  const hasDefault = Object.values(properties).some((property) => property.default !== undefined);
  const defaultOf = (value: unknown): string[] => (hasDefault ? [value === undefined ? "" : code(JSON.stringify(value))] : []);
  return table(
    [title, "type", ...(hasDefault ? ["default"] : []), "meaning"],
    Object.entries(properties).map(([name, property]) => [
      code(required.includes(name) ? name : `${name}?`),
      typeOf(property, nameOf),
      ...defaultOf(property.default),
      descriptionOf(property),
    ]),
  );
}

export function typeOf(schema: SchemaNode, nameOf: Naming): string {
  const name = nameOf(schema);
  if (name !== undefined) return name;
  if (schema.anyOf) {
    const [one = "", ...others] = schema.anyOf.map((part) => typeOf(part, nameOf));
    return others.length === 1 && others[0] === `array of ${one}` ? `${one}, or an array` : [one, ...others].join(" or ");
  }
  if (schema.enum) return schema.enum.map((value) => code(JSON.stringify(value))).join(", ");
  if ("const" in schema) return code(JSON.stringify(schema.const));
  if (schema.items) return `array of ${typeOf(schema.items, nameOf)}`;
  const values = valuesOf(schema);
  if (values !== undefined) return `object of ${typeOf(values, nameOf)}`;
  if (schema.format !== undefined) return "duration";
  if (schema.properties) return [...[schema.type].flat().filter((type) => type !== "object"), shapeOf(schema)].join(" or ");
  if (schema.type === undefined) return "any JSON";
  return [schema.type].flat().join(" or ");
}

/** Properties that an object in a cell may have; a larger one is described in words. */
const MOST_PROPERTIES = 9;

function shapeOf({ properties = {}, required = [] }: SchemaNode): string {
  const names = Object.keys(properties);
  if (names.length > MOST_PROPERTIES) return "object";
  return code(`{ ${names.map((name) => (required.includes(name) ? name : `${name}?`)).join(", ")} }`);
}

/** Of an object with any keys. */
export function valuesOf({ additionalProperties: values }: SchemaNode): SchemaNode | undefined {
  return typeof values === "object" && values !== null ? values : undefined;
}

function descriptionOf(schema: SchemaNode): string {
  return schema.description ?? schema.anyOf?.find((part) => part.description !== undefined)?.description ?? "";
}
