/**
 * The options of a taskflow, a stage and a task: declared here and nowhere else.
 *
 * Effective options come from the service, then the taskflow, the stage and the task. The innermost
 * value wins, option by option (`backoff` is one option: without `factor`, an inner one takes the
 * default, not the outer value).
 */
import { boolean, duration, integer, type Kind, number, oneOf } from "../lib/util/kind.ts";
import { aliasFor, type GivenOf, group, optional, required, setting, type ValuesOf } from "../lib/util/setting.ts";

const jitter: Kind<boolean | number, number> = {
  expects: "true, false or a number from 0 to 1",
  schema: { type: ["boolean", "number"], minimum: 0, maximum: 1 },
  valueSchema: { type: "number", minimum: 0, maximum: 1 },
  read: (given) => (typeof given === "boolean" ? Number(given) : number(0, 1).read(given)),
};

export const BACKOFF = {
  type: required(oneOf("fixed", "linear", "exponential"), {
    description: "Before retry n: `fixed` the delay, `linear` n × delay, `exponential` delay × factor^(n−1)",
  }),
  factor: setting(number(1, 100), { default: 2, description: "Base of the exponential kind" }),
  maxDelay: optional(duration(0), { description: "The longest delay, also for an error's own `retryAfter`" }),
  jitter: setting(jitter, {
    default: 0,
    description: "Random share subtracted from the delay: 0.2 gives 80 to 100 % of the delay, `true` is 1",
  }),
};

/** Options for every level. */
export const TASK_OPTIONS = {
  timeout: setting(duration(1), { default: 60_000, description: "One attempt, from dispatch to answer. Never 0" }),
  maxAge: optional(duration(1), { description: "Age past which no new attempt starts" }),
  maxRetries: setting(integer(-1), {
    default: 0,
    description: "Automatic retries after the first attempt; `-1`: unlimited",
  }),
  retryDelay: setting(duration(0), { default: 1_000, description: "Wait between automatic attempts" }),
  backoff: setting(group(BACKOFF), { default: { type: "fixed" }, description: "How the wait grows with each retry" }),
  continueOnTaskFailure: setting(boolean, { default: false, description: "The next stage runs even if the task fails" }),
  exactlyOnceTaskExecution: setting(boolean, {
    default: false,
    description: "A success is never repeated, and an attempt with an unknown outcome is never repeated blindly",
  }),
  exactlyOnceExecution: aliasFor(boolean, "exactlyOnceTaskExecution"),
  checkSuccess: setting(boolean, { default: true, description: "An answer with `success === false` is a failure" }),
  maxConcurrency: optional(integer(1, 1_000_000), { description: "Tasks of one stage in flight at once" }),
  onFailure: setting(oneOf("fail", "pause", "compensate"), {
    default: "fail",
    description: "The effect of a blocking failure: `fail` ends the taskflow, `pause` waits for a person, `compensate` undoes",
  }),
  waitForNested: setting(boolean, {
    default: true,
    description: "A task ends only after the taskflows that its handler produced",
  }),
  forwardContext: setting(boolean, { default: false, description: "The taskflow's `context` travels to every task" }),
};

/** Options of a taskflow, and of the service. */
export const OPTIONS = {
  ...TASK_OPTIONS,
  eventTree: setting(oneOf("state", "full", "none"), {
    default: "state",
    description: "How much of the tree each event contains",
  }),
};

/** Options as users write them; durations in ms or as text such as "5s". */
export type Options = GivenOf<typeof OPTIONS>;
/** Options of a stage or a task: those of a taskflow without `eventTree`. */
export type TaskOptions = GivenOf<typeof TASK_OPTIONS>;
/**
 * Effective options: with all defaults, durations in milliseconds; options without a value are
 * absent.
 */
export type EffectiveOptions = ValuesOf<typeof OPTIONS>;

/** Options of the service unless its user sets others. */
export const SERVICE_OPTIONS: Options = { maxConcurrency: 500 };
