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
  readonly description?: string;
  readonly $id?: string;
  readonly $ref?: string;
}

/** How a schema is named where it stands in a table; undefined to write it out. */
export type Naming = (schema: SchemaNode) => string | undefined;

export function propertiesTable(schema: SchemaNode, nameOf: Naming): string {
  const { properties = {}, required = [] } = schema;
  return table(
    ["field", "type", "meaning"],
    Object.entries(properties).map(([name, property]) => [
      code(required.includes(name) ? name : `${name}?`),
      typeOf(property, nameOf),
      descriptionOf(property),
    ]),
  );
}

export function typeOf(schema: SchemaNode, nameOf: Naming): string {
  const name = nameOf(schema);
  if (name !== undefined) return name;
  if (schema.anyOf) return schema.anyOf.map((part) => typeOf(part, nameOf)).join(" or ");
  if (schema.enum) return schema.enum.map((value) => code(JSON.stringify(value))).join(", ");
  if ("const" in schema) return code(JSON.stringify(schema.const));
  if (schema.items) return `array of ${typeOf(schema.items, nameOf)}`;
  const values = valuesOf(schema);
  if (values !== undefined) return `object of ${typeOf(values, nameOf)}`;
  if (schema.type === undefined) return "any JSON";
  return [schema.type].flat().join(" or ");
}

/** Of an object with any keys. */
export function valuesOf({ additionalProperties: values }: SchemaNode): SchemaNode | undefined {
  return typeof values === "object" && values !== null ? values : undefined;
}

function descriptionOf(schema: SchemaNode): string {
  return schema.description ?? schema.anyOf?.find((part) => part.description !== undefined)?.description ?? "";
}
