/**
 * The options of a taskflow, a stage and a task as users write them: declared here and nowhere else. Defaults are in `lib/core/model/options.ts`.
 *
 * Effective options are those of the service's settings, then the taskflow, the stage and the task; the innermost wins, option by option
 * (`backoff` is one option: what an inner one leaves out takes its default, not the outer value).
 */
import { Type, type Static } from "typebox";
import { Duration } from "./common.schema.ts";

/** What `onFailure` can say. */
const ON_FAILURE = ["fail", "pause", "compensate"] as const;

export const BackoffSchema = Type.Object(
  {
    type: Type.Enum(["fixed", "linear", "exponential"], {
      description: "fixed: the delay; linear: n × delay; exponential: delay × factor^(n−1)",
    }),
    factor: Type.Optional(Type.Number({ minimum: 1, maximum: 100, description: "Base of the exponential kind; default 2" })),
    maxDelay: Type.Optional(Duration(0, "The longest delay, also for an error's own `retryAfter`; none by default")),
    jitter: Type.Optional(
      Type.Unsafe<boolean | number>({
        type: ["boolean", "number"],
        minimum: 0,
        maximum: 1,
        description: "Share of the delay that is random, taken off it: 0.2 is 80 to 100 % of the delay; true is 1; default 0",
      }),
    ),
  },
  { additionalProperties: false },
);

/** Options that a stage and a task take. */
const shared = {
  timeout: Type.Optional(Duration(1, "One attempt, from dispatch to answer; default 60000 ms. Never 0")),
  maxAge: Type.Optional(Duration(1, "Age past which no new attempt starts; none by default")),
  maxRetries: Type.Optional(
    Type.Integer({ minimum: -1, description: "Automatic retries after the first attempt; -1 without limit; default 0" }),
  ),
  retryDelay: Type.Optional(Duration(0, "Wait between automatic attempts; default 1000 ms")),
  backoff: Type.Optional(BackoffSchema),
  continueOnTaskFailure: Type.Optional(
    Type.Boolean({ description: "The next stage runs although a task failed; default false" }),
  ),
  exactlyOnceTaskExecution: Type.Optional(
    Type.Boolean({ description: "Never executed again after a success, and never repeated blindly; default false" }),
  ),
  exactlyOnceExecution: Type.Optional(Type.Boolean({ description: "Another name of exactlyOnceTaskExecution" })),
  checkSuccess: Type.Optional(Type.Boolean({ description: "An answer with `success === false` is a failure; default true" })),
  maxConcurrency: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      description: "Tasks of one stage in flight at once; the service's setting by default",
    }),
  ),
  onFailure: Type.Optional(
    Type.Enum(ON_FAILURE, { description: 'What a blocking failure does: "pause" waits for a person; default "fail"' }),
  ),
  waitForNested: Type.Optional(
    Type.Boolean({ description: "A task waits for the taskflows that its handler produced; default true" }),
  ),
  forwardContext: Type.Optional(Type.Boolean({ description: "The taskflow's context travels to every task; default false" })),
};

/** Options of a stage or a task. */
export const TaskOptionsSchema = Type.Object(shared, { additionalProperties: false });
/** Options of a stage or a task: those of a taskflow without `eventTree`. */
export type TaskOptions = Static<typeof TaskOptionsSchema>;

/** Options of a taskflow. */
export const OptionsSchema = Type.Object(
  {
    ...shared,
    eventTree: Type.Optional(
      Type.Enum(["state", "full", "none"], { description: 'How much of the tree each event carries; default "state"' }),
    ),
  },
  { additionalProperties: false },
);
/** Options as users write them; durations in ms or as text such as "5s". */
export type Options = Static<typeof OptionsSchema>;
