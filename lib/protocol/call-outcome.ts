/** The outcome of a call in the engine's terms: from its answer, or from a worker's ledger. */
import type { JsonText } from "../core/model/values.ts";
import type { Outcome } from "../core/execution/inputs.ts";
import { dataText, isOfClass } from "../util/no-data.ts";
import { isRecord, recordOf } from "../util/record.ts";
import { toTaskError } from "./kept-error.ts";
import { failedOutcome } from "./task-error.ts";

/** The answer of a handler in another process, as it was read from JSON. */
export const answered = (response: unknown): Outcome =>
  // Moleculer makes a stream of one that was sent in chunks.
  isOfClass(response) ? answeredHere(response) : outcomeWith(response, (it) => JSON.stringify(it) ?? "null");

/** The answer of a handler in this process, or read by a serializer that keeps more than JSON. */
export const answeredHere = (response: unknown): Outcome => outcomeWith(response, dataText);

function outcomeWith(response: unknown, textOf: (response: unknown) => string): Outcome {
  try {
    // Getters of an object of this process may throw.
    const reportedFailure = recordOf(response)["success"] === false;
    return { kind: "answered", response: textOf(response) as JsonText, reportedFailure };
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
export function outcomeOf(stored: unknown, now: number): Outcome | undefined {
  const fields = recordOf(stored);
  if (fields["ok"] === true && "response" in fields) {
    const { delivery } = fields;
    const outcome = answered(fields["response"]);
    return outcome.kind === "answered" && isDelivery(delivery) ? { ...outcome, delivery } : outcome;
  }
  // A ledger keeps outcomes of handlers that ran, whatever an error says.
  return fields["ok"] === false && isRecord(fields["error"]) ? failedOutcome(fields["error"], now) : undefined;
}
