/**
 * The settings of one service: its `settings` win over the factory's options, those over the
 * environment.
 */
import type { Service } from "moleculer";
import { readEnvironment } from "../../lib/config/environment.ts";
import { SERVICE_SETTINGS, type ServiceSettings, type TaskflowServiceOptions } from "../../lib/config/service-settings.ts";
import { settingProblems, settingsError, unknownProblem } from "../../lib/config/settings.ts";
import { suggestName } from "../../lib/util/suggest.ts";
import { valuesOf } from "../../lib/util/setting.ts";
import { SERVICE_OPTIONS } from "../../schemas/options.ts";

/** @throws TASKFLOW_VALIDATION_ERROR for `settings` or environment variables that are wrong */
export function settingsOf(service: Service, options: TaskflowServiceOptions): ServiceSettings {
  const own = readSettings(service.settings as Readonly<Record<string, unknown>>);
  const given = { ...readEnvironment(SERVICE_SETTINGS), ...defined(options), ...defined(own) };
  const values = valuesOf(SERVICE_SETTINGS, {
    ...given,
    options: { ...SERVICE_OPTIONS, ...options.options, ...own.options },
    limits: { ...options.limits, ...own.limits },
  });
  const most = values.limits.maxRetries;
  if (values.options.maxRetries <= most) return values;
  const message = `/options/maxRetries must be at most /limits/maxRetries, ${most}, got ${values.options.maxRetries}.`;
  throw settingsError("The options of the service taskflow", [
    { path: "/options/maxRetries", message, keyword: "maxRetries", limit: most },
  ]);
}

function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
}

/** Other mixins have settings too: an unknown one is refused only if it resembles one of ours. */
function readSettings(settings: Readonly<Record<string, unknown>>): TaskflowServiceOptions {
  const known = Object.keys(SERVICE_SETTINGS);
  const isOwn = (name: string): boolean => known.includes(name);
  const own = Object.fromEntries(Object.entries(settings).filter(([name]) => isOwn(name)));
  const problems = Object.keys(settings)
    .filter((name) => !isOwn(name) && !name.startsWith("$") && suggestName(name, known) !== undefined)
    .map((name) => unknownProblem(`/${name}`, name, known));
  problems.push(...settingProblems(SERVICE_SETTINGS, own, ""));
  if ("store" in own) {
    const message = "/store must be an option of TaskflowService: Moleculer sends the settings of a service to every node.";
    problems.push({ path: "/store", message, keyword: "secret" });
  }
  if (problems.length > 0) throw settingsError("The settings of the service taskflow", problems);
  return own;
}
