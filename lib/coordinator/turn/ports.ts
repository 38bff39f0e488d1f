import type { Bus } from "../../ports/bus.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Ids } from "../../ports/ids.ts";
import type { Logger } from "../../ports/logger.ts";
import type { Sandbox } from "../../ports/sandbox.ts";
import type { Store } from "../../ports/store.ts";
import type { KnownTaskTypes } from "../../ports/task-types.ts";

/** The world as the coordinator sees it. */
export interface Ports {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly taskTypes: KnownTaskTypes;
  readonly sandbox: Sandbox;
}
