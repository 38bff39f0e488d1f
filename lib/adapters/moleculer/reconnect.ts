/**
 * Watches the broker's own link to NATS, by the project's transporter or by Moleculer's, which does
 * not report it.
 */
import type { ServiceBroker } from "moleculer";
import { natsClientOf } from "./broker-link.ts";
import { NatsTransporter } from "../nats/transporter.ts";
import { watchStatus } from "../nats/status.ts";
import { guarded } from "../../util/guarded.ts";

/** Calls the listener whenever the link is back after a loss. Returns a function that stops it. */
export function onReconnected(broker: ServiceBroker, listener: () => void): () => void {
  let isOver = false;
  let watched: unknown;
  const again = guarded(broker.logger, "The return of NATS could not be handled.", () => {
    if (!isOver) listener();
  });
  /**
   * The client of Moleculer's own transporter reconnects by itself; Moleculer replaces it only
   * after it was closed for good.
   */
  const watch = (): void => {
    const client = natsClientOf(broker);
    if (isOver || client === undefined || client === watched || broker.transit?.tx instanceof NatsTransporter) return;
    watched = client;
    watchStatus(client, broker.logger, ({ type }) => {
      if (type === "reconnected" && watched === client) again();
    });
  };
  const connected = ({ wasReconnect }: { wasReconnect?: boolean } = {}): void => {
    watch();
    if (wasReconnect) again();
  };
  broker.localBus.on("$transporter.connected", connected);
  watch();
  return () => {
    isOver = true;
    broker.localBus.off("$transporter.connected", connected);
  };
}
