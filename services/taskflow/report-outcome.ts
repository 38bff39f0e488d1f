/**
 * The action `reportOutcome`: called by a worker until the coordinator that owns the taskflow has
 * accepted.
 */
import { outcomeOf } from "../../lib/protocol/call-outcome.ts";
import { validationError } from "../../lib/validation/index.ts";
import type { ActionAnswers, ActionParams } from "../../schemas/actions/index.ts";
import type { Engine } from "./engine.ts";

export async function reportOutcome(
  { coordinator }: Engine,
  { key, outcome: given }: ActionParams["reportOutcome"],
): Promise<ActionAnswers["reportOutcome"]> {
  const outcome = outcomeOf(given, Date.now());
  if (outcome) return { accepted: await coordinator.report(key, outcome) };
  const message = "must be { ok: true, response } or { ok: false, error }";
  throw validationError("The params of taskflow.reportOutcome are not valid", [{ path: "/outcome", message, keyword: "type" }]);
}
