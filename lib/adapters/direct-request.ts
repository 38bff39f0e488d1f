/**
 * The way of a task's request from `broker.call` on, where that has nothing to add to it: `transit.request`, which keeps the list of pending calls
 * and ends those of a node that is lost.
 *
 * In between Moleculer makes a context, and wraps the call into its middlewares for retries, fallbacks, circuit breakers, timeouts and errors: six
 * promises and a tenth of a busy coordinator's time. The engine has its own retries and times the attempt, and the node was chosen before.
 */
import { Errors, type ServiceBroker } from "moleculer";

/** What the transit reads of a context. */
interface RequestContext {
  readonly id: string;
  readonly requestID: string;
  readonly action: RemoteAction;
  readonly params: unknown;
  readonly meta: Record<string, unknown>;
  readonly headers: object;
  readonly options: { readonly timeout: number };
  readonly level: number;
  readonly tracing: null;
  readonly parentID: null;
  readonly caller: null;
  /** Moleculer writes the node here that has answered. */
  nodeID: string;
}

interface RemoteAction {
  readonly name: string;
  readonly circuitBreaker?: unknown;
}

interface RemoteEndpoint {
  readonly isAvailable: boolean;
  readonly action: RemoteAction;
}

interface EndpointList {
  getEndpointByNodeID(node: string): RemoteEndpoint | null;
}

interface Transit {
  request(ctx: RequestContext): Promise<unknown>;
  removePendingRequest(id: string): void;
}

export interface DirectRequest {
  readonly action: string;
  readonly node: string;
  readonly params: unknown;
  readonly meta: Record<string, unknown>;
  /** 0: it is listened for until it is ended. */
  readonly timeout: number;
}

/** True where every call takes its usual way: a middleware of somebody's, metrics or circuit breakers are told of it, or change it. */
export function isWatched({ options }: ServiceBroker): boolean {
  const { middlewares, metrics, circuitBreaker, errorHandler } = options;
  const measures = typeof metrics === "object" && metrics !== null ? metrics.enabled === true : Boolean(metrics);
  return (middlewares?.length ?? 0) > 0 || measures || circuitBreaker?.enabled === true || Boolean(errorHandler);
}

/**
 * Sends a request to another node; `done` or `failed` is called as the promise of `broker.call` would be settled.
 *
 * @returns what ends the listening; undefined if the node does not offer the action, or its calls are watched: then nothing was sent
 */
export function requestDirectly(
  broker: ServiceBroker,
  { action: name, node, params, meta, timeout }: DirectRequest,
  done: (response: unknown) => void,
  failed: (error: unknown) => void,
): (() => void) | undefined {
  const endpoint = (broker.registry.actions.get(name) as EndpointList | undefined)?.getEndpointByNodeID(node);
  const transit = broker.transit as unknown as Transit | undefined;
  if (!transit || !endpoint?.isAvailable || endpoint.action.circuitBreaker !== undefined) return undefined;
  const id = broker.generateUid();
  const { action } = endpoint;
  const ctx: RequestContext = {
    id,
    requestID: id,
    action,
    nodeID: node,
    params,
    meta,
    headers: {},
    options: { timeout },
    level: 1,
    tracing: null,
    parentID: null,
    caller: null,
  };
  let isOver = false;
  const end = (): void => {
    isOver = true;
    clearTimeout(timer);
    transit.removePendingRequest(id);
  };
  const fail = (error: unknown): void => {
    if (isOver) return;
    end();
    failed(error);
  };
  const timer =
    timeout > 0 ? setTimeout(() => fail(new Errors.RequestTimeoutError({ action: name, nodeID: node })), timeout) : undefined;
  transit.request(ctx).then((response) => {
    if (isOver) return;
    clearTimeout(timer);
    done(response);
  }, fail);
  return end;
}
