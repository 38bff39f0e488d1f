/** Settings from environment variables. A wrong value or name is refused by the variable's name. */
import type { Problem } from "../util/problem.ts";
import type { GivenOf, Table } from "../util/setting.ts";
import { BROKER_SETTINGS } from "./broker-settings.ts";
import { SERVICE_SETTINGS } from "./service-settings.ts";
import { settingsError, unknownProblem, valueProblems } from "./settings.ts";

type Variables = Readonly<Record<string, string | undefined>>;

/** All settings that have a variable, and others. */
export const ENVIRONMENT = { ...BROKER_SETTINGS, ...SERVICE_SETTINGS };

const OWN = "TASKFLOW_";
const KNOWN = Object.values<Table[string]>(ENVIRONMENT).flatMap(({ variable }) => (variable?.startsWith(OWN) ? [variable] : []));

/**
 * Kubernetes and Docker describe a service named `taskflow…` to every container by such variables;
 * tests have their own.
 */
function isForeign(name: string, value = ""): boolean {
  if (/^TASKFLOW_TEST_|_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$/.test(name)) return true;
  return name.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(value);
}

/**
 * What the variables of a table say; an empty one says nothing.
 * @throws TASKFLOW_VALIDATION_ERROR that names every wrong variable, and every unknown `TASKFLOW_…`
 */
export function readEnvironment<T extends Table>(table: T, env: Variables = process.env): GivenOf<T> {
  const given: Record<string, unknown> = {};
  const problems = unknownVariables(env);
  for (const [name, row] of Object.entries<Table[string]>(table)) {
    const { variable, kind } = row;
    const text = variable === undefined ? "" : (env[variable]?.trim() ?? "");
    if (variable === undefined || text === "") continue;
    given[name] = kind.parse?.(text) ?? text;
    problems.push(...valueProblems(row, given[name], `/${variable}`, variable, text));
  }
  if (problems.length > 0) throw settingsError("The environment variables", problems);
  return given as GivenOf<T>;
}

function unknownVariables(env: Variables): Problem[] {
  return Object.keys(env)
    .filter((name) => name.startsWith(OWN) && !KNOWN.includes(name) && !isForeign(name, env[name]))
    .map((name) => unknownProblem(`/${name}`, name, KNOWN, name));
}
