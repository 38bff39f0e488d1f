/** The outcome of a call in the engine's terms: from its answer, or from a worker's ledger. */
import type { JsonText } from "../core/model/values.ts";
import type { Outcome } from "../core/execution/inputs.ts";
import { isRecord, recordOf } from "../util/record.ts";
import { toTaskError } from "./kept-error.ts";
import { failedOutcome } from "./task-error.ts";

export function answered(response: unknown): Outcome {
  try {
    // A handler of this process may answer an object whose getters throw.
    const reportedFailure = recordOf(response)["success"] === false;
    return { kind: "answered", response: (JSON.stringify(response) ?? "null") as JsonText, reportedFailure };
  } catch (error) {
    const known = toTaskError(error);
    const message = `The work was done, but its answer is not JSON: ${known.message}`;
    return { kind: "failed", error: { ...known, type: "RESPONSE_NOT_SERIALIZABLE", message }, permanent: true };
  }
}

const isDelivery = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

/**
 * An outcome from a worker's ledger: `{ ok: true, response }` or `{ ok: false, error }`, read like
 * the answer of the call itself. Undefined if it is neither.
 */
export function toldOutcome(told: unknown, now: number): Outcome | undefined {
  const said = recordOf(told);
  if (said["ok"] === true && "response" in said) {
    const { delivery } = said;
    const outcome = answered(said["response"]);
    return outcome.kind === "answered" && isDelivery(delivery) ? { ...outcome, delivery } : outcome;
  }
  // A ledger keeps outcomes of handlers that ran, whatever an error says.
  return said["ok"] === false && isRecord(said["error"]) ? failedOutcome(said["error"], now) : undefined;
}
