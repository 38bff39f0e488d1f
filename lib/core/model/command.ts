/**
 * Commands: what people and other services decide about a taskflow. Each is one input of its mailbox, decided in its order, and
 * answered once what it changed is stored. One that is refused changes nothing.
 */
import type { Refusal } from "../../../schemas/command.schema.ts";

export type {
  AnnotateCommand,
  CancelCommand,
  CancelTaskCommand,
  Command,
  CommandRequest,
  CommandResult,
  Expect,
  JoinCommand,
  LinkCommand,
  PauseCommand,
  Refusal,
  ResolveTaskCommand,
  ResumeCommand,
  RetryCommand,
  Selection,
  UpdateTaskCommand,
} from "../../../schemas/command.schema.ts";

export function refuse(type: string, message: string, data?: unknown): Refusal {
  return { ok: false, type, message, ...(data === undefined ? {} : { data }) };
}
