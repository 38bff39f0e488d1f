/** How a call ended, in the engine's words: from its answer, or from what a worker tells of it later. */
import type { JsonText } from "../core/model/values.ts";
import type { Outcome } from "../core/execution/inputs.ts";
import { isRecord, recordOf } from "../util/record.ts";
import { failedOutcome, toTaskError } from "./task-error.ts";

export function answered(response: unknown): Outcome {
  const reportedFailure = recordOf(response)["success"] === false;
  try {
    return { kind: "answered", response: (JSON.stringify(response) ?? "null") as JsonText, reportedFailure };
  } catch (error) {
    // Only a handler in this process can answer what is not JSON.
    const message = `The work was done, but its answer is not JSON: ${(error as Error).message}`;
    return { kind: "failed", error: { ...toTaskError(error), type: "RESPONSE_NOT_SERIALIZABLE", message }, permanent: true };
  }
}

/**
 * An outcome from a worker's ledger: `{ ok: true, response }` or `{ ok: false, error }`, read as the
 * answer of the call itself would have been. Undefined if it is neither.
 */
export function toldOutcome(told: unknown, now: number): Outcome | undefined {
  const said = recordOf(told);
  if (said["ok"] === true && "response" in said) return answered(said["response"]);
  // A ledger keeps outcomes of handlers that ran, whatever an error says.
  return said["ok"] === false && isRecord(said["error"]) ? failedOutcome(said["error"], now) : undefined;
}
