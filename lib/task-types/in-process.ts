/** A dispatch that calls a function in the coordinator's own process. */
import type { Outcome } from "../core/execution/inputs.ts";
import type { Call, Dispatch } from "../ports/dispatch.ts";
import type { DispatchPorts } from "../ports/task-types.ts";
import { answeredHere } from "../protocol/call-outcome.ts";
import { failedOutcome } from "../protocol/task-error.ts";

/**
 * Does the work of one delivery and returns the task's response. An error that it throws becomes
 * the task's error; `PermanentError`, `ExpectedError` and `data.retryAfter` work as in an action.
 *
 * A crash or a takeover can repeat a delivery with the same `idempotencyKey`. With
 * `exactlyOnceTaskExecution` the task ends with TASK_OUTCOME_UNKNOWN instead.
 *
 * @param signal aborted when the attempt times out or is cancelled
 */
export type Work = (call: Call, signal: AbortSignal) => unknown;

/**
 * Makes the `dispatch` of a task type from a function. The coordinator that owns the taskflow calls
 * the function once for each delivery.
 */
export function inProcess(work: Work): (ports: DispatchPorts) => Dispatch {
  return ({ nodeID }) => {
    const running = new Map<string, AbortController>();
    return {
      route: () => nodeID,
      offers: () => 1,
      carries: () => true,
      call(call, done) {
        const { idempotencyKey: key } = call;
        const controller = new AbortController();
        running.set(key, controller);
        const end = (outcome: Outcome): void => {
          if (running.get(key) === controller) running.delete(key);
          done(outcome);
        };
        Promise.resolve(copyOf(call))
          .then((copy) => work(copy, controller.signal))
          .then(
            (response) => end(answeredHere(response)),
            (error: unknown) => end(failedOutcome(error, Date.now())),
          );
        // The work continues without a listener, and a late outcome still counts.
        return () => {};
      },
      queryOutcome({ key }, done) {
        const timer = setImmediate(() => done({ kind: running.has(key) ? "running" : "silent" }));
        return () => clearImmediate(timer);
      },
      abort: (_node, key) => running.get(key)?.abort(),
    };
  };
}

/** The function may change its call: the taskflow keeps its own objects. */
function copyOf(call: Call): Call {
  const { taskDetails, params, meta } = call;
  return { ...call, ...structuredClone({ taskDetails, params, meta }) };
}
