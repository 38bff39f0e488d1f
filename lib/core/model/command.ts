/**
 * Commands: decisions that people and other services make about a taskflow. Each is one input of
 * its mailbox, handled in order and answered once its facts are stored. A refused command changes
 * nothing.
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
