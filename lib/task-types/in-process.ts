/** The dispatch of types whose work is done by a function in the coordinator's own process. */
import type { Outcome } from "../core/execution/inputs.ts";
import type { Call, Dispatch } from "../ports/dispatch.ts";
import type { DispatchPorts } from "../ports/task-types.ts";
import { answered } from "../protocol/call-outcome.ts";
import { failedOutcome } from "../protocol/task-error.ts";

/**
 * Does the work of one delivery and answers the task's response. What it throws is the task's error,
 * in which `PermanentError`, `ExpectedError` and `data.retryAfter` mean what they mean in an action.
 *
 * It may be called again with the same `idempotencyKey`: after a crash or a takeover nobody can tell
 * whether the work was done. Under `exactlyOnceTaskExecution` the task ends with
 * TASK_OUTCOME_UNKNOWN instead.
 *
 * @param signal aborted when the attempt is over: it timed out, or was cancelled
 */
export type Work = (call: Call, signal: AbortSignal) => unknown;

/** The `dispatch` of a task type: each attempt is a call of the function, in the process of the coordinator that owns the taskflow. */
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
            (response) => end(answered(response)),
            (error: unknown) => end(failedOutcome(error, Date.now())),
          );
        // The work goes on without a listener, and its outcome is still one.
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

/** What the function does to its call reaches nothing of the taskflow. */
function copyOf(call: Call): Call {
  const { taskDetails, params, meta } = call;
  return { ...call, ...structuredClone({ taskDetails, params, meta }) };
}
