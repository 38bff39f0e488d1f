/**
 * Sends a task's request straight to the transit where `broker.call` has nothing to add. The worker
 * sees no difference.
 *
 * In between, Moleculer makes a context and wraps the call into its middlewares for retries,
 * fallbacks, circuit breakers, timeouts and errors: seven promises, and a tenth of a busy
 * coordinator's time. The engine has its own retries and times the attempt, and the node was chosen
 * before. The request stands in the transit's list of pending requests like any other: its answer
 * is found there, and it ends when its node is lost.
 */
import { Errors, type ServiceBroker } from "moleculer";
import { REQUEST, type WirePacket } from "../nats/packets.ts";
import { knowsInternals } from "../system/known-internals.ts";

/** Versions of Moleculer with this transit. */
const KNOWN_VERSIONS = ["0.15"];

export interface DirectRequest {
  readonly action: string;
  readonly node: string;
  readonly params: unknown;
  readonly meta: Record<string, unknown>;
  /** 0: it listens until it is ended. */
  readonly timeout: number;
}

interface RemoteEndpoint {
  readonly isAvailable: boolean;
  readonly action: { readonly name: string; readonly circuitBreaker?: unknown };
}

interface EndpointList {
  getEndpointByNodeID(node: string): RemoteEndpoint | null;
}

/** Moleculer's transit: its types omit these members, or declare them differently. */
export interface Transit {
  readonly opts: { readonly maxQueueSize?: number };
  readonly pendingRequests: Map<string, PendingRequest>;
  publish(packet: WirePacket): Promise<void>;
  removePendingRequest(id: string): void;
}

interface PendingRequest {
  readonly action: { readonly name: string };
  readonly nodeID: string;
  /** Moleculer stores the responding node and the returned meta in it. */
  readonly ctx: { meta: Record<string, unknown>; nodeID: string };
  resolve: (response: unknown) => void;
  reject: (error: unknown) => void;
  readonly stream: false;
}

const ignore = (): void => {};

/** The transit for direct requests; undefined where every call takes the usual way. */
export function directTransit(broker: ServiceBroker): Transit | undefined {
  const transit = broker.transit as unknown as Partial<Transit> | null | undefined;
  if (!transit || isWatched(broker)) return undefined;
  const { opts, pendingRequests, publish, removePendingRequest } = transit;
  const internals = {
    library: "Moleculer",
    version: broker.MOLECULER_VERSION,
    known: KNOWN_VERSIONS,
    areThere:
      typeof opts === "object" &&
      pendingRequests instanceof Map &&
      typeof publish === "function" &&
      typeof removePendingRequest === "function",
    plainPath: "tasks are sent by broker.call",
  };
  return knowsInternals(internals, broker.logger) ? (transit as Transit) : undefined;
}

/** Middlewares, metrics, traces and circuit breakers have to see every call, or may change it. */
function isWatched({ options }: ServiceBroker): boolean {
  const { middlewares, metrics, tracing, circuitBreaker, errorHandler } = options;
  const watches = [metrics, tracing, circuitBreaker].some((each) =>
    typeof each === "object" ? each?.enabled === true : Boolean(each),
  );
  return watches || (middlewares?.length ?? 0) > 0 || Boolean(errorHandler);
}

/**
 * Sends a request to another node. Calls `done` or `failed`, as the promise of `broker.call` would
 * settle.
 * @returns a function that ends the listening; undefined if nothing was sent: the usual path then
 * reports why, or does better
 */
export function requestDirectly(
  broker: ServiceBroker,
  transit: Transit,
  { action: name, node, params, meta, timeout }: DirectRequest,
  done: (response: unknown) => void,
  failed: (error: unknown) => void,
): (() => void) | undefined {
  const endpoint = (broker.registry.actions.get(name) as EndpointList | undefined)?.getEndpointByNodeID(node);
  if (!endpoint?.isAvailable || endpoint.action.circuitBreaker !== undefined) return undefined;
  const { pendingRequests, opts } = transit;
  if (opts.maxQueueSize && pendingRequests.size >= opts.maxQueueSize) return undefined;
  const id = broker.generateUid();
  const expire = (): void => request.reject(new Errors.RequestTimeoutError({ action: name, nodeID: node }));
  const timer = timeout > 0 ? setTimeout(expire, timeout) : undefined;
  // Emptied at the end: outgrown tables of Moleculer's map keep it alive (see `residents.ts`), with
  // everything that it refers to.
  const end = (): void => {
    clearTimeout(timer);
    request.resolve = request.reject = ignore;
    request.ctx.meta = {};
    transit.removePendingRequest(id);
  };
  const request: PendingRequest = {
    action: endpoint.action,
    nodeID: node,
    ctx: { meta, nodeID: node },
    resolve: (response) => {
      end();
      done(response);
    },
    reject: (error) => {
      end();
      failed(error);
    },
    stream: false,
  };
  pendingRequests.set(id, request);
  const payload = payloadOf(id, name, params, meta, timeout);
  transit.publish({ type: REQUEST, target: node, payload }).catch((error: unknown) => request.reject(error));
  return end;
}

/** The request as Moleculer writes it for a call without a parent call. */
const payloadOf = (id: string, action: string, params: unknown, meta: Record<string, unknown>, timeout: number) => ({
  id,
  action,
  params,
  meta,
  headers: {},
  timeout,
  level: 1,
  tracing: null,
  parentID: null,
  requestID: id,
  caller: null,
  stream: false,
});
