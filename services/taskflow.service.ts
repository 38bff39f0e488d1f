/**
 * The service `taskflow`: checks params, passes them to the coordinator, and answers `{ success:
 * true, data }`. Failures are thrown as Moleculer errors of the catalogue
 * (`lib/errors/catalogue.ts`).
 */
import type { Context, Service, ServiceSchema } from "moleculer";
import { HEARTBEAT_EVENT, PAUSES_CHANGED_EVENT, RELEASED_EVENT } from "../lib/protocol/names.ts";
import { SERVICE_SETTINGS, type TaskflowServiceOptions } from "../lib/config/service-settings.ts";
import { checkSettings } from "../lib/config/settings.ts";
import { createEngine, type Engine, engineOf, engines } from "./taskflow/engine.ts";
import { moleculerActions } from "./taskflow/handlers.ts";

export type { TaskflowServiceOptions } from "../lib/config/service-settings.ts";

const TAKERS = { groups: ["taskflow"] };

async function start(engine: Engine): Promise<void> {
  await engine.store.open();
  await engine.pauses.start(engine.startsPaused);
  await engine.coordinator.start();
  engine.delay.enable();
  engine.ready = true;
}

/**
 * Factory of the coordinator's service schema, for `broker.createService(TaskflowService({ … }))`
 * or as a mixin. If the store cannot be opened, `started` rejects with the remedy.
 * @throws TASKFLOW_VALIDATION_ERROR for wrong options; when a broker creates the service, also for
 * `settings` and environment variables
 */
export function TaskflowService(given: TaskflowServiceOptions = {}): ServiceSchema {
  checkSettings("The options of TaskflowService", SERVICE_SETTINGS, given);
  return {
    name: "taskflow",
    actions: moleculerActions(),
    events: {
      [HEARTBEAT_EVENT](this: Service, ctx: Context<{ key?: unknown }>) {
        const { key } = ctx.params;
        if (typeof key === "string") engines.get(this)?.coordinator.heartbeat(key);
      },
      [PAUSES_CHANGED_EVENT](this: Service) {
        const engine = engines.get(this);
        // What cannot be read now is read a second later.
        if (engine?.ready) void engine.pauses.look().catch(() => {});
      },
      [RELEASED_EVENT](this: Service) {
        const engine = engines.get(this);
        if (engine?.ready) void engine.coordinator.takeOver();
      },
    },
    created(this: Service) {
      engines.set(this, createEngine(this, given));
    },
    started(this: Service) {
      return start(engineOf(this));
    },
    async stopped(this: Service) {
      const engine = engines.get(this);
      if (!engine) return;
      engine.ready = false;
      engine.delay.disable();
      await engine.coordinator.stop(engine.graceMs, () => void this.broker.broadcast(RELEASED_EVENT, {}, TAKERS).catch(() => {}));
      await engine.pauses.stop();
      engine.bus.close();
      engine.callers.stop();
      engine.journals.stop();
      await engine.store.close();
    },
  };
}

export default TaskflowService();
