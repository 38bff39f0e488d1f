/** docs/options.md: everything that can be configured. */
import { CLIENT_SETTINGS, OWN_SETTINGS } from "../../lib/adapters/nats/settings.ts";
import { BROKER_SETTINGS } from "../../lib/config/broker-settings.ts";
import { LIMITS } from "../../lib/config/limits.ts";
import { SERVICE_SETTINGS } from "../../lib/config/service-settings.ts";
import { ADAPTER_SETTINGS } from "../../lib/moleculer-db/settings.ts";
import { type Setting } from "../../lib/util/setting.ts";
import { WORKER_SETTINGS } from "../../lib/worker/settings.ts";
import { BACKOFF, OPTIONS, SERVICE_OPTIONS, TASK_OPTIONS } from "../../schemas/options.ts";
import { code, page, paragraph } from "./markdown.ts";
import { plain, settingsTable, variablesTable } from "./settings.ts";

/** Of the variables that `npm start` reads. */
export const environmentTable = (): string => variablesTable({ ...BROKER_SETTINGS, ...SERVICE_SETTINGS });

export function optionsPage(): string {
  const clientSettings = Object.entries<Setting>(CLIENT_SETTINGS);
  const isPassed = ([, { description }]: [string, Setting]): boolean => description === "As in nats.js";
  const passed = clientSettings.filter(isPassed).map(([name]) => code(name));
  const ours = Object.fromEntries(clientSettings.filter((entry) => !isPassed(entry)));
  const both = { columns: ["kind"] } as const;
  return page(
    "# Options",
    paragraph("`npm run docs:generate` writes this page from the tables that the code reads."),
    paragraph(
      `What is configured is checked like a definition: an unknown name is refused with its path and the
      nearest known one, a wrong value with what it must be, and all problems are reported at once in a
      \`TASKFLOW_VALIDATION_ERROR\`. Durations are numbers of milliseconds or text such as \`"5s"\` or
      \`"2h"\`, at most 10 years.`,
    ),
    "## Options of taskflows, stages and tasks",
    paragraph(
      `They stand in \`options\` of \`TaskflowService\`, of a taskflow, a stage or a task. The innermost wins, option by
      option; \`backoff\` is one option. They are resolved when the taskflow is produced and stored with it: a later
      change of configuration does not alter a live run. The default of the
      service is ${code(plain(SERVICE_OPTIONS))}.`,
    ),
    settingsTable(OPTIONS, {
      columns: ["kind", "levels"],
      links: { backoff: "an object, see [below](#backoff)" },
      levelsOf: (name) => (Object.hasOwn(TASK_OPTIONS, name) ? "service, taskflow, stage, task" : "service, taskflow"),
    }),
    "### backoff",
    settingsTable(BACKOFF, both),
    "## TaskflowService",
    paragraph(
      `\`TaskflowService({ … })\`. An option that is absent comes from its environment variable, then from its default. The
      \`settings\` of the service may hold the same options, except \`store\`: Moleculer sends them to every node. There they win
      over those of the factory; unknown names belong to other mixins, unless they look like one of these.`,
    ),
    settingsTable(SERVICE_SETTINGS, {
      columns: ["kind", "variable"],
      links: {
        options: "an object, see [above](#options-of-taskflows-stages-and-tasks)",
        limits: "an object, see [below](#limits)",
      },
    }),
    "### Limits",
    paragraph(
      `Of \`limits\`. Over one of them \`produce\` answers \`TASKFLOW_VALIDATION_ERROR\` with the limit in the problem. Bytes are those of
      JSON text in UTF-8. Other limits belong to the format: ids have at most 128 characters, names, tags, keys and text values of
      attributes 256, \`pageSize\` is at most 1,000.`,
    ),
    settingsTable(LIMITS, both),
    "## TaskflowWorker",
    paragraph("`mixins: [TaskflowWorker({ … })]`."),
    settingsTable(WORKER_SETTINGS, both),
    "## NatsTransporter",
    paragraph("`transporter: new NatsTransporter({ … })`, or a URL in place of the object. Its own options:"),
    settingsTable(OWN_SETTINGS, both),
    paragraph("Options of the NATS client for which its own defaults do not fit:"),
    settingsTable(ours, both),
    paragraph(`The client gets the others as they are: ${passed.join(", ")}.`),
    "## TaskflowAdapter and TaskflowDb",
    paragraph("Of [`moleculer-taskflow/moleculer-db`](moleculer-db.md)."),
    settingsTable(ADAPTER_SETTINGS, { columns: ["kind", "variable"] }),
    "## Environment variables",
    paragraph(
      `\`npm start\` and \`moleculer.config.ts\` read all of them; \`TaskflowService\` in a broker of your own reads those that begin with
      \`TASKFLOW_\`. An empty variable counts as absent. An unknown name that begins with \`TASKFLOW_\` is refused, except for the names
      that Kubernetes and Docker set for a service named \`taskflow…\`, and \`TASKFLOW_TEST_…\`.`,
    ),
    environmentTable(),
  );
}
