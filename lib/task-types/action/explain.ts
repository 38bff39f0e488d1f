import type { ActionDetails } from "../../../schemas/task-types/action.schema.ts";
import { capital, nameOf } from "../../core/explain/reason.ts";
import type { DueTask, Observed, ReasonText } from "../../core/model/task-type.ts";
import { actionNameOf } from "../../protocol/action-name.ts";

/** No node offers the action. */
export function explain(task: DueTask<ActionDetails>, { nodes }: Observed): ReasonText {
  const action = actionNameOf(task.definition.taskDetails);
  return {
    sentence: `${capital(nameOf(task))} waits: no node offers ${action}; ${nodes} ${nodes === 1 ? "node is" : "nodes are"} connected.`,
    data: { action, nodes },
    movedBy: `A node that offers ${action}.`,
  };
}
