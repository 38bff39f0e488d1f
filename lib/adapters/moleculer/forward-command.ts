/** Forwards commands to another coordinator's node. */
import type { ServiceBroker } from "moleculer";
import type { CommandResult, CommandRequest } from "../../core/model/command.ts";
import { taskflowError } from "../../errors/errors.ts";
import { EXECUTE_COMMAND_ACTION } from "../../protocol/names.ts";
import { classifyError } from "../../protocol/task-error.ts";

/**
 * The wait for one answer: a commit may take long. A command without an answer by then is sent
 * again with the same id.
 */
const ANSWER_MS = 5_000;

export function forwardCommand(
  broker: ServiceBroker,
  node: string,
  taskflowId: string,
  order: CommandRequest,
): Promise<CommandResult | "not-mine" | "unanswered"> {
  return passOn(broker, node, EXECUTE_COMMAND_ACTION, taskflowId, { taskflowId, request: order });
}

/** Calls one of the coordinators' internal actions on the coordinator that owns the taskflow. */
export async function passOn(
  broker: ServiceBroker,
  node: string,
  action: string,
  taskflowId: string,
  params: object,
): Promise<CommandResult | "not-mine" | "unanswered"> {
  try {
    const response: unknown = await broker.call<unknown, unknown>(action, params, {
      nodeID: node,
      timeout: ANSWER_MS,
      retries: 0,
      tracking: false,
    });
    const { data } = (response ?? {}) as { data?: { answer?: CommandResult } };
    return data?.answer ?? "not-mine";
  } catch (error) {
    const { nodeID } = error as { nodeID?: unknown };
    const outcome = classifyError(error, { action, node, caller: broker.nodeID }, Date.now());
    if (outcome.kind === "not-sent") return "not-mine";
    if (outcome.kind === "failed" && outcome.error.type === "PAYLOAD_TOO_LARGE" && nodeID === undefined) {
      const message = `The command on taskflow "${taskflowId}" must fit into a message to its coordinator ${node}: make it smaller, or call that node.`;
      throw taskflowError("TASKFLOW_VALIDATION_ERROR", message, [{ path: "", message, keyword: "bytes" }]);
    }
    broker.logger.warn(`${node} did not answer a command on taskflow ${taskflowId}; trying again.`, error);
    return "unanswered";
  }
}
