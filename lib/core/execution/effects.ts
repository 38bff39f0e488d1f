/**
 * Effects: carried out once the facts are stored. `recover` repairs the loss of one (a crash);
 * carrying one out twice is harmless.
 */
import type { Command } from "../model/command.ts";
import type { Part } from "../model/resolution.ts";
import type { TaskError } from "../model/values.ts";
import type { Input } from "./inputs.ts";

export type Effect =
  /** Send the attempt to the node, and watch its timeout. */
  | { readonly kind: "call"; readonly task: number; readonly attempt: number; readonly delivery: number; readonly node: string }
  /**
   * Query the outcome of a silent attempt; the reply comes back as `outcome-reply`, with the cause.
   */
  | {
      readonly kind: "query-outcome";
      readonly task: number;
      readonly attempt: number;
      readonly delivery: number;
      readonly node: string;
      /** The process that it was sent to, if that is known. */
      readonly process?: string;
      /** When the attempt was first sent. */
      readonly startedAt: number;
      readonly patienceMs: number;
      readonly cause?: TaskError;
    }
  /** Compute the templates or the condition of a part; the values come back as `evaluated`. */
  | { readonly kind: "evaluate"; readonly part: Part }
  /** Ask the node to abort the attempt: its answer is not needed any more. */
  | { readonly kind: "abort"; readonly task: number; readonly attempt: number; readonly node: string }
  /** Send another taskflow a command, repeatedly until it is stored or refused. */
  | { readonly kind: "send-command"; readonly to: string; readonly command: Command }
  /** Look up these taskflows: each one's end or absence comes back as the command `join`. */
  | { readonly kind: "follow"; readonly children: readonly string[] }
  /** Feed the input back at that time. */
  | { readonly kind: "timer"; readonly at: number; readonly input: Input };
