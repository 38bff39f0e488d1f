/** Settings from the environment (the README lists them). What is wrong is told by the variable's name, at start. */
import { parseActionPatterns } from "./allowed-actions.ts";
import { parseDuration } from "../util/duration.ts";
import { describeValue } from "../util/describe-value.ts";

export interface Environment {
  /** `TASKFLOW_STORE`: `sqlite:<file>`, `memory:` or a MongoDB URL. */
  readonly store: string;
  /** `TASKFLOW_ALLOWED_ACTIONS`: patterns of the actions that tasks may call. */
  readonly allowedActions: readonly string[];
  /** `TASKFLOW_EVENT_TREE_LIMIT`, in bytes. */
  readonly eventTreeLimit: number;
  /** `TASKFLOW_LEASE`, in ms. */
  readonly leaseMs: number;
  /** `TASKFLOW_SHUTDOWN_GRACE`, in ms. */
  readonly shutdownGraceMs: number;
  /** `TASKFLOW_PARK_AFTER`, in ms. */
  readonly parkMs: number;
  /** `TASKFLOW_RETENTION`, in ms; null: for ever. */
  readonly retentionMs: number | null;
  /** `TASKFLOW_PAUSED`: this coordinator sends nothing until the pause of every action is lifted. */
  readonly paused: boolean;
}

const UNITS: Readonly<Record<string, number>> = { "": 1, b: 1, kb: 1024, kib: 1024, mb: 1024 ** 2, mib: 1024 ** 2 };

/** Bytes of `4096`, `4KiB` or `1MB`. @throws RangeError */
export function parseBytes(text: string): number {
  const match = /^(\d{1,12})\s*([a-z]*)$/i.exec(text.trim());
  const unit = match && UNITS[(match[2] ?? "").toLowerCase()];
  if (!unit) throw new RangeError(`"${text}" is not a number of bytes: give one such as 4096, 4KiB or 1MB.`);
  return Number(match[1]) * unit;
}

/** Milliseconds of a duration of a second or more. @throws RangeError */
export function parseLongDuration(value: unknown): number {
  const ms = parseDuration(value);
  if (ms >= 1_000) return ms;
  throw new RangeError(`${describeValue(value)} is too short: give a duration of a second or more, such as "30s".`);
}

/** @throws RangeError */
export function parseSwitch(text: string): boolean {
  const word = text.trim().toLowerCase();
  if (word === "1" || word === "true") return true;
  if (word === "0" || word === "false") return false;
  throw new RangeError(`"${text}" is neither on nor off: give 1 or 0.`);
}

function read<T>(env: NodeJS.ProcessEnv, name: string, parse: (text: string) => T, absent: T): T {
  const text = env[name];
  if (text === undefined || text.trim() === "") return absent;
  try {
    return parse(text);
  } catch (error) {
    throw new RangeError(`The environment variable ${name}: ${(error as Error).message}`, { cause: error });
  }
}

/** @throws RangeError that names the variable */
export function readEnvironment(env: NodeJS.ProcessEnv = process.env): Environment {
  return {
    store: read(env, "TASKFLOW_STORE", (text) => text.trim(), "sqlite:./data/taskflow.db"),
    allowedActions: parseActionPatterns(env.TASKFLOW_ALLOWED_ACTIONS),
    eventTreeLimit: read(env, "TASKFLOW_EVENT_TREE_LIMIT", parseBytes, 4096),
    leaseMs: read(env, "TASKFLOW_LEASE", parseDuration, 10_000),
    shutdownGraceMs: read(env, "TASKFLOW_SHUTDOWN_GRACE", parseDuration, 10_000),
    parkMs: read(env, "TASKFLOW_PARK_AFTER", parseLongDuration, 30_000),
    retentionMs: read<number | null>(env, "TASKFLOW_RETENTION", parseLongDuration, null),
    paused: read(env, "TASKFLOW_PAUSED", parseSwitch, false),
  };
}
