import type { ActionDetails } from "../../../schemas/task-types/action.schema.ts";
import type { CheckRules } from "../../core/model/task-type.ts";
import { actionNameOf } from "../../protocol/action-name.ts";
import { describeValue, shorten } from "../../util/describe-value.ts";

/** Tasks may call only the actions that the operator allows (`TASKFLOW_ALLOWED_ACTIONS`). */
export function check(details: ActionDetails, at: () => string, rules: CheckRules): void {
  const name = actionNameOf(details);
  if (rules.isActionAllowed(name)) return;
  const path = at();
  const message = `${path} names the action ${describeValue(name)}, which tasks may not call: add it to TASKFLOW_ALLOWED_ACTIONS, or call another.`;
  rules.add({ path, message, value: shorten(name), keyword: "allowedActions", type: "ACTION_NOT_ALLOWED" });
}
