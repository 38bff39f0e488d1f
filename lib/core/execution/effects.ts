/** Effects: what is to be done once the facts are stored. Losing one (a crash) is repaired by `recover`; doing one twice is harmless. */
import type { Command } from "../model/command.ts";
import type { TaskError } from "../model/values.ts";
import type { Input } from "./inputs.ts";

export type Effect =
  /** Send the attempt to the node, and watch its time. */
  | { readonly kind: "call"; readonly task: number; readonly attempt: number; readonly delivery: number; readonly node: string }
  /** Ask for the outcome of an attempt of which nothing is heard; the reply comes back as `asked`, with the cause. */
  | {
      readonly kind: "query-outcome";
      readonly task: number;
      readonly attempt: number;
      readonly delivery: number;
      readonly node: string;
      /** When the attempt was first sent. */
      readonly startedAt: number;
      readonly patienceMs: number;
      readonly cause?: TaskError;
    }
  /** Tell the node that nobody waits for the attempt any more. */
  | { readonly kind: "abort"; readonly task: number; readonly attempt: number; readonly node: string }
  /** Give another taskflow a command, until it is stored or refused. */
  | { readonly kind: "send-command"; readonly to: string; readonly command: Command }
  /** Look what has become of these taskflows: the end of each, or that it is not there, comes back as the command `join`. */
  | { readonly kind: "follow"; readonly children: readonly string[] }
  /** Give the input back at that time. */
  | { readonly kind: "timer"; readonly at: number; readonly input: Input };
