/** Explains why taskflows are not moving, from their state and from observations around them. */
import type { Explanation } from "../../../schemas/explanation.schema.ts";
import { explain } from "../../core/explain/explain.ts";
import { isHeld } from "../../core/execution/turned-away.ts";
import { type Flow, isOver, latestAttempt, taskAt } from "../../core/model/flow.ts";
import { targetOf } from "../../core/model/task-type.ts";
import type { OwnerState, Sent, Observations } from "../../core/explain/observed.ts";
import { isTaskflowError, taskflowError, taskflowNotFound } from "../../errors/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Network } from "../../ports/network.ts";
import type { PauseRule, Store } from "../../ports/store.ts";
import type { KnownTaskTypes } from "../../ports/task-types.ts";
import { withTimeout } from "../../util/timer.ts";
import type { Coordinator } from "../coordinator.ts";
import { EVERY_ACTION } from "../flow-control/pause-rules.ts";
import type { JournalCache, ReadTaskflow } from "./journal-cache.ts";
import type { CoordinatorSettings } from "../turn/settings.ts";

/** An attempt is sent within moments of its commit: until then it is not yet silent. */
const JUST_STORED_MS = 250;

/** How long the store may take before an explanation says that it does not answer. */
const PATIENCE_MS = 2_000;

export interface ExplanationsPorts {
  readonly coordinator: Coordinator;
  readonly store: Store;
  readonly journals: JournalCache;
  readonly clock: Clock;
  readonly network: Network;
  readonly taskTypes: KnownTaskTypes;
  readonly pauses: { readonly rules: readonly PauseRule[]; ruleFor(action: string): PauseRule | undefined };
  /** Asks the coordinator that drives it, once; rejects if that cannot be had. */
  readonly askOwner: (owner: string, taskflowId: string) => Promise<Explanation>;
}

export class Explainer {
  readonly #ports: ExplanationsPorts;
  readonly #settings: CoordinatorSettings;

  constructor(ports: ExplanationsPorts, settings: CoordinatorSettings) {
    this.#ports = ports;
    this.#settings = settings;
  }

  /**
   * @throws TASKFLOW_NOT_FOUND; STORE_UNAVAILABLE if nothing is known of the taskflow without the
   * store
   */
  async explain(taskflowId: string): Promise<Explanation> {
    const { coordinator, journals } = this.#ports;
    const cared = coordinator.inspect(taskflowId);
    if (cared) return this.#explainOwn(taskflowId);
    const stored = await journals.read(taskflowId);
    if (!stored) throw taskflowNotFound(taskflowId);
    const { flow } = stored;
    const { owner } = stored.row;
    if (!isOver(flow) && owner !== null && owner !== this.#settings.owner) {
      const explained = await this.#ports.askOwner(owner, taskflowId).catch(() => undefined);
      if (explained) return explained;
    }
    return explain(flow, this.#around(this.#driverOf(stored), null));
  }

  /**
   * A resident taskflow. While the store does not answer its state is unknown, and that is the
   * reason.
   */
  async #explainOwn(taskflowId: string): Promise<Explanation> {
    const { coordinator } = this.#ports;
    const found = await this.#soon(coordinator.peek(taskflowId)).catch((error: unknown) => {
      if (isTaskflowError(error, "STORE_UNAVAILABLE")) return error.message;
      throw error;
    });
    if (typeof found === "string") return unreadable(taskflowId, found);
    if (!found) throw taskflowNotFound(taskflowId);
    const health = isOver(found) ? undefined : await this.#soon(this.#ports.store.health()).catch(() => undefined);
    const storeError = isOver(found) || health?.ok ? null : (health?.error ?? "it does not answer.");
    return explain(found, this.#around(this.#driving(found), storeError));
  }

  /** @throws STORE_UNAVAILABLE */
  #soon<Result>(work: Promise<Result>): Promise<Result> {
    const late = (): Error => taskflowError("STORE_UNAVAILABLE", `The store has not answered for ${PATIENCE_MS} ms.`);
    return withTimeout(work, PATIENCE_MS, late, this.#ports.clock);
  }

  #driving(flow: Flow): OwnerState {
    const { coordinator } = this.#ports;
    const cared = coordinator.inspect(flow.taskflowId);
    const sent = (ordinal: number): Sent | undefined => {
      const task = taskAt(flow, ordinal);
      const attempt = task?.attempt;
      const pending = cared?.pending.get(ordinal);
      if (pending?.attempt === attempt)
        return { sentAt: pending?.sentAt ?? 0, heardAt: pending?.heardAt ?? null, isUnsent: false };
      if (!task || isHeld(flow, task)) return task && { sentAt: 0, heardAt: null, isUnsent: true };
      const { startedAt, deliveries } = latestAttempt(task);
      const isJustStored = deliveries === 1 && this.#ports.clock.now() - startedAt < JUST_STORED_MS;
      return isJustStored ? { sentAt: startedAt, heardAt: null, isUnsent: false } : undefined;
    };
    return this.#thisOne(cared !== undefined, null, sent);
  }

  #driverOf({ row }: ReadTaskflow): OwnerState {
    const { owner, dueAt } = row;
    if (owner === null) return { kind: "none" };
    if (owner === this.#settings.owner) return this.#thisOne(false, dueAt > 0 ? dueAt : null, () => undefined);
    const silentMs = this.#ports.coordinator.owners.silenceOf(owner);
    return { kind: "other", node: owner, silentMs, leaseMs: this.#settings.leaseMs };
  }

  #thisOne(isLoaded: boolean, restsUntil: number | null, sent: (ordinal: number) => Sent | undefined): OwnerState {
    const { owners, isDraining, inFlight } = this.#ports.coordinator;
    const hasLease = owners.hasLease();
    const { maxInFlight } = this.#settings;
    return { kind: "this", isLoaded, restsUntil, hasLease, isDraining, inFlight, maxInFlight, sent };
  }

  #around(owner: OwnerState, storeError: string | null): Observations {
    const { clock, network, pauses, taskTypes } = this.#ports;
    return {
      now: clock.now(),
      coordinator: this.#settings.owner,
      owner,
      types: taskTypes,
      isBusUp: network.isUp(),
      nodes: network.nodes(),
      isConnected: (node) => network.isConnected(node),
      offers: (task) => taskTypes.dispatchOf(task).offers(targetOf(taskTypes, task)),
      pausedBy: (target) => pauses.ruleFor(target),
      everythingPausedBy: pauses.rules.find(({ pattern }) => pattern === EVERY_ACTION),
      storeError,
    };
  }
}

function unreadable(taskflowId: string, message: string): Explanation {
  const sentence = `The store is unavailable, so its state cannot be read and nothing can proceed: ${message}`;
  const movedBy = "The store; it is retried continuously.";
  return {
    taskflowId,
    status: null,
    summary: `Taskflow "${taskflowId}": ${sentence}`,
    reasons: [{ code: "STORE_UNAVAILABLE", sentence, data: { error: message }, movedBy }],
  };
}
