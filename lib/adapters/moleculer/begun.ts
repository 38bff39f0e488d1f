/**
 * Tracks which calls within this process have begun their handler. Moleculer rejects a call before
 * it runs (a full queue of its bulkhead) with the same error as the handler's own inner call fails
 * with.
 *
 * Services that were started before the coordinator's service was created are not tracked: their
 * calls count as begun.
 */
import type { ActionHandler, Context, Service, ServiceBroker } from "moleculer";
import { CONTEXT_KEY } from "../../protocol/names.ts";

type LocalAction = (handler: ActionHandler, action: { readonly service?: Service }) => ActionHandler;

const watched = new WeakSet<ServiceBroker>();
const services = new WeakSet<Service>();
const begun = new WeakSet<Context>();

const markBegun: LocalAction = (handler, action) => {
  if (action.service) services.add(action.service);
  return function begin(this: unknown, ctx: Context): unknown {
    // Only tasks' calls are looked up, and a set of all calls would burden the garbage collector.
    if (CONTEXT_KEY in ctx.meta) begun.add(ctx);
    return handler.call(this as never, ctx) as unknown;
  };
};

/**
 * Puts the mark outside the hooks of services and inside the bulkhead. Moleculer's types leave
 * the lists out.
 */
export function watchBegun(broker: ServiceBroker): void {
  if (watched.has(broker)) return;
  watched.add(broker);
  const hooks = broker.middlewares.registeredHooks as unknown as { localAction?: LocalAction[] };
  const wrappers = (hooks.localAction ??= []);
  const hooksOfServices = wrappers.findIndex(({ name }) => name === "wrapActionHookMiddleware");
  wrappers.splice(hooksOfServices + 1, 0, markBegun);
}

/** Whether the handler of a call within this process started. `error` is the call's rejection. */
export function hasBegun(error: unknown): boolean {
  const { ctx } = (typeof error === "object" && error !== null ? error : {}) as { ctx?: Context };
  // Without a context, no call was made.
  if (ctx === undefined) return false;
  return begun.has(ctx) || !(ctx.service && services.has(ctx.service));
}
