/** docs/actions.md: the catalogue of actions. */
import { COMMAND_ACTIONS } from "../../schemas/actions/commands.ts";
import { ACTIONS, type Action, COMPONENTS, EVERY_ACTION } from "../../schemas/actions/index.ts";
import { INTERNAL_ACTIONS } from "../../schemas/actions/internal.ts";
import { OPERATION_ACTIONS } from "../../schemas/actions/operations.ts";
import { TASK_ACTIONS } from "../../schemas/actions/tasks.ts";
import { TASKFLOW_ACTIONS } from "../../schemas/actions/taskflows.ts";
import { STATUS_TABLES } from "../../schemas/statuses.ts";
import { code, page, paragraph, table } from "./markdown.ts";
import { propertiesTable, type SchemaNode, typeOf } from "./schema.ts";

type Group = readonly [heading: string, about: string, actions: Readonly<Record<string, Action>>];

const GROUPS: readonly Group[] = [
  ["Taskflows", "Actions that produce, read and remove taskflows.", TASKFLOW_ACTIONS],
  ["Tasks", "Actions that read tasks and their values.", TASK_ACTIONS],
  [
    "Commands",
    "Each changes one taskflow. Its owner executes it, whichever coordinator is called ([control.md](control.md)).",
    COMMAND_ACTIONS,
  ],
  ["Operations", "Copies, many taskflows at once, paused actions, health ([operations.md](operations.md)).", OPERATION_ACTIONS],
  [
    "Between nodes",
    "Coordinators and workers call these at coordinators. They ask for no right, and may change with any version.",
    INTERNAL_ACTIONS,
  ],
];

/** Pages that describe the schemas that answers name. */
const DESCRIBED: Readonly<Record<string, string>> = {
  TaskflowDetails: "[tree](statuses.md#the-tree)",
  TaskDetails: "[task](statuses.md#a-task-in-the-tree)",
  TaskflowEvent: "[event](events.md)",
};

/** The others are written out. */
const components = new Map((COMPONENTS as readonly SchemaNode[]).map((schema) => [schema.$id, schema]));

export function actionsPage(): string {
  return page(
    "# Actions",
    paragraph("`npm run docs:generate` writes this page from the catalogue of actions, `schemas/actions/`."),
    paragraph(
      `The service \`taskflow\` has these actions; \`TaskflowClient\` has a method for each, except for those between nodes. An
      action answers \`{ success: true, data }\`: the tables of answers are about \`data\`. Params that it does not know are refused.
      Beside its own errors each can throw ${EVERY_ACTION.map(code).join(", ")}; [errors.md](errors.md) says what to do about each type.`,
    ),
    paragraph(
      `The kind \`query\` reads, \`command\` changes one taskflow, \`operator\` runs the service or works on many taskflows,
      \`internal\` is for nodes. A right is the permission to call the action; this version does not check rights. In the tables \`?\` marks what can be
      absent; a duration is a number of milliseconds or text such as \`"5s"\`; times are epoch milliseconds.`,
    ),
    table(
      ["action", "kind", "right"],
      Object.entries<Action>(ACTIONS).map(([name, action]) => [
        `[${code(name)}](#${name.toLowerCase()})`,
        code(action.kind),
        action.kind === "internal" ? "" : code(action.right),
      ]),
    ),
    ...GROUPS.flatMap(([heading, about, actions]) => [
      `## ${heading}`,
      paragraph(about),
      ...Object.entries(actions).flatMap(([name, action]) => section(name, action)),
    ]),
  );
}

function section(name: string, action: Action): string[] {
  const params = action.params as SchemaNode;
  const right = action.kind === "internal" ? "" : `Right: ${code(action.right)}. `;
  const errors = action.errors.length > 0 ? `Errors: ${action.errors.map(code).join(", ")}.` : "It has no errors of its own.";
  const hasParams = Object.keys(params.properties ?? {}).length > 0;
  return [
    `### ${name}`,
    paragraph(action.summary),
    paragraph(`Kind: ${code(action.kind)}. ${right}${errors}`),
    hasParams ? propertiesTable(params, naming, "param") : "It has no params.",
    ...answerOf(action.answer),
  ];
}

function answerOf(answer: SchemaNode): string[] {
  const isDescribed = answer.$ref !== undefined && DESCRIBED[answer.$ref] !== undefined;
  const schema = isDescribed ? answer : (components.get(answer.$ref) ?? answer);
  if (schema.properties) return ["Answer:", propertiesTable(schema, naming)];
  if (!schema.anyOf) return [`Answer: ${typeOf(schema, naming)}.`];
  const [first, ...others] = schema.anyOf.map((part) => propertiesTable(part, naming));
  return ["Answer:", first ?? "", ...others.flatMap((each) => ["or:", each])];
}

/** Statuses, options and whatever another page describes are linked to. */
function naming(schema: SchemaNode): string | undefined {
  if (schema.$ref !== undefined && DESCRIBED[schema.$ref] !== undefined) return DESCRIBED[schema.$ref];
  if (schema.$ref !== undefined) return typeOf(components.get(schema.$ref) ?? {}, naming);
  if (schema.properties?.["checkSuccess"]) return "[options](options.md#options-of-taskflows-stages-and-tasks)";
  for (const what of ["taskflow", "stage", "task"] as const) {
    if (JSON.stringify(schema.enum) === JSON.stringify(Object.keys(STATUS_TABLES[what]))) {
      return `[status](statuses.md#of-a-${what})`;
    }
  }
  return undefined;
}
