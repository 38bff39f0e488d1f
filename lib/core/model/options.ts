/**
 * Options, compiled once: from what users write (`Options`, declared with its schema in `schemas/options.schema.ts`) to what the engine reads
 * (`ResolvedOptions`: every field present, durations in milliseconds).
 *
 * A taskflow of 100,000 tasks has a handful of different options: `resolveOptions` gives equal ones as one frozen object,
 * and their public form and text are made once for each.
 */
import type { Options } from "../../../schemas/options.schema.ts";
import { parseDuration } from "../../util/duration.ts";

export type OnFailure = "fail" | "pause" | "compensate";
export type EventTree = "state" | "full" | "none";

export interface ResolvedBackoff {
  /** Before retry n (from 1): `fixed` the delay, `linear` n × delay, `exponential` delay × factor^(n−1). */
  readonly type: "fixed" | "linear" | "exponential";
  /** ≥ 1. */
  readonly factor: number;
  /** Upper bound of the delay, and of an error's own `retryAfter`. */
  readonly maxDelayMs: number | null;
  /** 0..1, the share of the delay that is random, taken off it: wait = delay × (1 − jitter × random). 0 is none, 1 is "full jitter". */
  readonly jitter: number;
}

/** Effective options. Frozen and shared: compare by identity only to skip work, never to tell options apart. */
export interface ResolvedOptions {
  /** One attempt, from dispatch to answer. Never 0. */
  readonly timeoutMs: number;
  /** Age past which no new attempt starts; null without limit. */
  readonly maxAgeMs: number | null;
  /** Automatic retries after the first attempt; -1 without limit. */
  readonly maxRetries: number;
  /** Wait between automatic attempts, before `backoff`. */
  readonly retryDelayMs: number;
  readonly backoff: ResolvedBackoff;
  /** The next stage runs although this task failed. */
  readonly continueOnTaskFailure: boolean;
  /** A success is never executed again, an unknown outcome never repeated blindly. */
  readonly exactlyOnceTaskExecution: boolean;
  /** An object answer with `success === false` is a failure. */
  readonly checkSuccess: boolean;
  /** Tasks of one stage in flight at once; null without limit of its own. */
  readonly maxConcurrency: number | null;
  readonly onFailure: OnFailure;
  /** The task is finished only when the taskflows that its handler produced are. */
  readonly waitForNested: boolean;
  /** The taskflow's `context` travels to every task. */
  readonly forwardContext: boolean;
  /** How much of the tree each event carries; read of the taskflow's options only. */
  readonly eventTree: EventTree;
}

/** The contract's form of effective options: its names, durations as numbers of milliseconds, what is not set left out. `Options` reads it back. */
export interface PresentedOptions {
  timeout: number;
  maxAge?: number;
  maxRetries: number;
  retryDelay: number;
  backoff: { type: "fixed" | "linear" | "exponential"; factor: number; maxDelay?: number; jitter: number };
  continueOnTaskFailure: boolean;
  exactlyOnceTaskExecution: boolean;
  checkSuccess: boolean;
  maxConcurrency?: number;
  onFailure: OnFailure;
  waitForNested: boolean;
  forwardContext: boolean;
  eventTree: EventTree;
}

const DEFAULT_BACKOFF: ResolvedBackoff = Object.freeze({ type: "fixed", factor: 2, maxDelayMs: null, jitter: 0 });

/** What holds where nobody said anything. */
export const DEFAULT_OPTIONS: ResolvedOptions = Object.freeze({
  timeoutMs: 60_000,
  maxAgeMs: null,
  maxRetries: 0,
  retryDelayMs: 1_000,
  backoff: DEFAULT_BACKOFF,
  continueOnTaskFailure: false,
  exactlyOnceTaskExecution: false,
  checkSuccess: true,
  maxConcurrency: null,
  onFailure: "fail",
  waitForNested: true,
  forwardContext: false,
  eventTree: "state",
});

/** Options resolved before, by the base and the override's text. Bounded: it starts anew when it is full. */
const MAX_SHARED = 4_096;
let shared = new WeakMap<ResolvedOptions, Map<string, ResolvedOptions>>();
let sharedCount = 0;

/**
 * `base` with what `override` says. The same object as `base` if it says nothing, and one object for equal overrides of one base.
 * The override has passed validation; a bad duration still throws its RangeError.
 */
export function resolveOptions(base: ResolvedOptions, override?: Options): ResolvedOptions {
  if (override === undefined) return base;
  const key = JSON.stringify(override);
  if (key === "{}") return base;
  const known = shared.get(base)?.get(key);
  if (known !== undefined) return known;
  const resolved = mergeOptions(base, override);
  if (sharedCount >= MAX_SHARED) {
    shared = new WeakMap();
    sharedCount = 0;
  }
  const ofBase = shared.get(base) ?? new Map<string, ResolvedOptions>();
  shared.set(base, ofBase.set(key, resolved));
  sharedCount += 1;
  return resolved;
}

function mergeOptions(base: ResolvedOptions, override: Options): ResolvedOptions {
  return Object.freeze({
    timeoutMs: override.timeout === undefined ? base.timeoutMs : parseDuration(override.timeout),
    maxAgeMs: override.maxAge === undefined ? base.maxAgeMs : parseDuration(override.maxAge),
    maxRetries: override.maxRetries ?? base.maxRetries,
    retryDelayMs: override.retryDelay === undefined ? base.retryDelayMs : parseDuration(override.retryDelay),
    backoff: override.backoff === undefined ? base.backoff : resolveBackoff(override.backoff),
    continueOnTaskFailure: override.continueOnTaskFailure ?? base.continueOnTaskFailure,
    exactlyOnceTaskExecution: override.exactlyOnceTaskExecution ?? override.exactlyOnceExecution ?? base.exactlyOnceTaskExecution,
    checkSuccess: override.checkSuccess ?? base.checkSuccess,
    maxConcurrency: override.maxConcurrency ?? base.maxConcurrency,
    onFailure: override.onFailure ?? base.onFailure,
    waitForNested: override.waitForNested ?? base.waitForNested,
    forwardContext: override.forwardContext ?? base.forwardContext,
    eventTree: override.eventTree ?? base.eventTree,
  });
}

function resolveBackoff(backoff: NonNullable<Options["backoff"]>): ResolvedBackoff {
  return Object.freeze({
    type: backoff.type,
    factor: backoff.factor ?? DEFAULT_BACKOFF.factor,
    maxDelayMs: backoff.maxDelay === undefined ? null : parseDuration(backoff.maxDelay),
    jitter: backoff.jitter === undefined ? 0 : Number(backoff.jitter),
  });
}

const presented = new WeakMap<ResolvedOptions, PresentedOptions>();
const texts = new WeakMap<ResolvedOptions, string>();

/** The public form; one frozen object for each resolved one. `resolveOptions(DEFAULT_OPTIONS, presentOptions(x))` equals `x`. */
export function presentOptions(resolved: ResolvedOptions): Readonly<PresentedOptions> {
  const known = presented.get(resolved);
  if (known !== undefined) return known;
  const { backoff } = resolved;
  const made: PresentedOptions = {
    timeout: resolved.timeoutMs,
    ...(resolved.maxAgeMs === null ? {} : { maxAge: resolved.maxAgeMs }),
    maxRetries: resolved.maxRetries,
    retryDelay: resolved.retryDelayMs,
    backoff: Object.freeze({
      type: backoff.type,
      factor: backoff.factor,
      ...(backoff.maxDelayMs === null ? {} : { maxDelay: backoff.maxDelayMs }),
      jitter: backoff.jitter,
    }),
    continueOnTaskFailure: resolved.continueOnTaskFailure,
    exactlyOnceTaskExecution: resolved.exactlyOnceTaskExecution,
    checkSuccess: resolved.checkSuccess,
    ...(resolved.maxConcurrency === null ? {} : { maxConcurrency: resolved.maxConcurrency }),
    onFailure: resolved.onFailure,
    waitForNested: resolved.waitForNested,
    forwardContext: resolved.forwardContext,
    eventTree: resolved.eventTree,
  };
  presented.set(resolved, Object.freeze(made));
  return made;
}

/** JSON text of the public form; made once for each resolved one. */
export function optionsText(resolved: ResolvedOptions): string {
  let text = texts.get(resolved);
  if (text === undefined) {
    text = JSON.stringify(presentOptions(resolved));
    texts.set(resolved, text);
  }
  return text;
}
