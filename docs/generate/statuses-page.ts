/** docs/statuses.md: the statuses, and the shape of the tree that `getTaskflowDetails` answers. */
import { COMPONENTS } from "../../schemas/actions/index.ts";
import { STATUS_TABLES } from "../../schemas/statuses.ts";
import { code, page, paragraph, table } from "./markdown.ts";
import { propertiesTable, type SchemaNode, valuesOf } from "./schema.ts";

/** Headings of the objects of the tree, by the field in which they stand. */
const HEADINGS: Readonly<Record<string, string>> = {
  stages: "A stage in the tree",
  tasks: "A task in the tree",
  attempts: "An attempt",
  error: "An error",
  compensation: "A compensation",
  annotations: "An annotation",
  parentTaskflowDetails: "The parent",
};

const components = new Map((COMPONENTS as readonly SchemaNode[]).map((schema) => [schema.$id, schema]));
const anchor = (heading: string): string => `#${heading.toLowerCase().replaceAll(" ", "-")}`;
const link = (text: string, heading: string): string => `[${text}](${anchor(heading)})`;

const meanings = (rows: Readonly<Record<string, string>>, head = "status"): string =>
  table(
    [head, "meaning"],
    Object.entries(rows).map(([name, meaning]) => [code(name), `${meaning}.`]),
  );

export function statusesPage(): string {
  const { taskflow, stage, task, statusReason } = STATUS_TABLES;
  return page(
    "# Statuses and details",
    paragraph("`npm run docs:generate` writes this page from the tables and schemas that the code reads."),
    "## Of a taskflow",
    meanings(taskflow),
    paragraph(
      `A finished taskflow changes its status again only when a person decides so: by a retry, or by settling a task by hand. What
      never ran of a taskflow that stopped early stays WAITING.`,
    ),
    "## Of a stage",
    meanings(stage),
    "## Of a task",
    meanings(task),
    "## Reasons",
    paragraph(
      `\`statusReason\` of a task that is WAITING, QUEUED or RUNNING; null: nothing in particular. [explain.md](explain.md) has
      \`explainTaskflow\`, which says more.`,
    ),
    meanings(statusReason, "reason"),
    "## The tree",
    paragraph(
      "What `getTaskflowDetails` answers. Times are epoch milliseconds of the store's clock, null where it has not come to that; ids of stages and tasks are UUIDs.",
    ),
    ...sections(),
  );
}

/** The taskflow's table, and one for each object inside it, in the order in which they are met. */
function sections(): string[] {
  const root = components.get("TaskflowDetails");
  const blocks: string[] = [];
  const done = new Set<string>();
  const toDo: { heading?: string; schema: SchemaNode }[] = root ? [{ schema: root }] : [];
  for (let next = toDo.shift(); next; next = toDo.shift()) {
    const { heading, schema } = next;
    if (heading !== undefined) blocks.push(`### ${heading}`);
    blocks.push(propertiesTable(schema, naming(schema)));
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const inner = objectIn(property);
      const innerHeading = HEADINGS[name];
      if (inner === undefined || innerHeading === undefined || done.has(innerHeading)) continue;
      done.add(innerHeading);
      toDo.push({ heading: innerHeading, schema: inner });
    }
  }
  return blocks;
}

/**
 * An object with fields: the schema itself, the values of a dictionary, the elements of an array,
 * or what may be null.
 */
function objectIn(schema: SchemaNode): SchemaNode | undefined {
  if (schema.$ref !== undefined) return components.get(schema.$ref);
  if (schema.properties !== undefined) return schema;
  const inner = schema.items ?? valuesOf(schema);
  if (inner !== undefined) return objectIn(inner);
  return schema.anyOf?.map(objectIn).find((part) => part !== undefined);
}

/** Statuses and objects are named, and linked to where they are described. */
function naming(parent: SchemaNode): (schema: SchemaNode) => string | undefined {
  return (schema) => {
    for (const [what, rows] of Object.entries(STATUS_TABLES)) {
      if (JSON.stringify(schema.enum) !== JSON.stringify(Object.keys(rows))) continue;
      return what === "statusReason" ? link("reason", "Reasons") : link("status", `Of a ${what}`);
    }
    if (schema.$ref === "TaskflowDetails") return link("tree", "The tree");
    const entry = Object.entries(parent.properties ?? {}).find(([, property]) => contains(property, schema));
    const [name = ""] = entry ?? [];
    if (schema.properties === undefined && schema.$ref === undefined) return undefined;
    if (name === "options") return "[options](options.md#options-of-taskflows-stages-and-tasks)";
    const heading = HEADINGS[name];
    return heading === undefined ? "object" : link("object", heading);
  };
}

const contains = (outer: SchemaNode, schema: SchemaNode): boolean =>
  outer === schema ||
  [outer.items, valuesOf(outer), ...(outer.anyOf ?? [])].some((part) => part !== undefined && contains(part, schema));
