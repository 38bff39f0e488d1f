/** Pausing actions for all coordinators. */
import type { Service } from "moleculer";
import { PAUSES_CHANGED_EVENT } from "../../lib/protocol/names.ts";
import type { ActionAnswers, ActionParams } from "../../schemas/actions/index.ts";
import type { Call } from "./action.ts";
import type { Engine } from "./engine.ts";

export async function pauseActions(
  { pauses }: Engine,
  { pattern, reason }: ActionParams["pauseActions"],
  { service }: Call,
): Promise<ActionAnswers["pauseActions"]> {
  const rule = await pauses.add(pattern, reason ?? null);
  tell(service);
  return rule;
}

export async function resumeActions(
  { pauses }: Engine,
  { pattern }: ActionParams["resumeActions"],
  { service }: Call,
): Promise<ActionAnswers["resumeActions"]> {
  const lifted = await pauses.lift(pattern);
  tell(service);
  return { pattern, lifted };
}

/** A coordinator that misses it sees it within a second anyway. */
function tell({ broker }: Service): void {
  void broker.broadcast(PAUSES_CHANGED_EVENT, {}, { groups: ["taskflow"] }).catch(() => {});
}
