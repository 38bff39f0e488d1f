/** The action `health`. */
import type { ActionAnswers } from "../../schemas/actions/index.ts";
import type { Call } from "./action.ts";
import { type Engine, milliseconds } from "./engine.ts";

export async function health(
  { store, coordinator, pauses, ready, delay }: Engine,
  _params: object,
  { service: { broker } }: Call,
): Promise<ActionAnswers["health"]> {
  const { transit } = broker;
  return {
    ready: ready && !coordinator.isDraining,
    live: true,
    nodeID: broker.nodeID,
    store: { name: store.name, ...(await store.health()) },
    bus: transit ? { kind: "transporter", connected: transit.connected } : { kind: "local", connected: true },
    owned: coordinator.active,
    inFlight: coordinator.inFlight,
    draining: coordinator.isDraining,
    paused: pauses.isPaused,
    pausedActions: pauses.rules.map(({ pattern }) => pattern),
    lag: { p50: milliseconds(delay.percentile(50)), p99: milliseconds(delay.percentile(99)) },
  };
}
