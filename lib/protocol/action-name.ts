import type { ActionDetails } from "../../schemas/task-types/action.schema.ts";

/**
 * The name of the called action, `[v<version>.]serviceId.actionName`: a numeric version becomes
 * `v2.`, a text stays as it is, as in Moleculer.
 */
export function actionNameOf({ serviceId, actionName, version }: ActionDetails): string {
  const name = `${serviceId}.${actionName}`;
  if (version === undefined) return name;
  return typeof version === "number" ? `v${version}.${name}` : `${version}.${name}`;
}
