/** Wakes taskflows that wait for something outside them: a worker, or the end of a pause rule. */
import type { Gate } from "../flow-control/pause-rules.ts";
import type { Ports } from "./ports.ts";
import { WORKER_POLL_MS } from "./settings.ts";
import type { TurnLoop } from "./loop.ts";

/** Has it looked at whenever that may have come. Returns what ends it. */
export function wakeWaiting({ bus, clock }: Ports, turns: TurnLoop, gate: Gate): () => void {
  const wakeStarved = (): void => {
    for (const resident of turns.dispatcher.starved) turns.wake(resident);
  };
  const wakeHeld = (): void => {
    for (const resident of turns.dispatcher.gated) turns.wake(resident);
  };
  // Registries are told of services, but not always: waiting work looks by itself too.
  const poll = (): void => {
    wakeStarved();
    cancel = clock.after(WORKER_POLL_MS, poll);
  };
  let cancel = clock.after(WORKER_POLL_MS, poll);
  const ends = [bus.onWorkersChanged(wakeStarved), gate.onChanged(wakeHeld), () => cancel()];
  return () => {
    for (const end of ends) end();
  };
}
