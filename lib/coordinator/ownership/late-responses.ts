/**
 * Answers that come after their taskflow has left memory. A parked taskflow is read again for them.
 * In a finished one they belong to tasks that were cancelled while they ran, or whose outcome was
 * unknown: they are recorded for a retry to find, and change no status.
 */
import { type Flow, isFinished, taskAt } from "../../core/model/flow.ts";
import { awaitsLate } from "../../core/execution/task.ts";
import type { Residency } from "./residency.ts";
import type { ReopenFinished } from "./reopen.ts";
import type { Ports } from "../turn/ports.ts";
import { rehydrate } from "../turn/rehydrate.ts";
import type { TurnLoop } from "../turn/loop.ts";
import type { LateAnswer } from "../turn/effect-handlers.ts";

/**
 * Answers for one taskflow within this time are stored together: all handlers of a cancelled
 * taskflow may answer at once.
 */
const GATHER_MS = 100;

interface Gathered {
  readonly answers: LateAnswer[];
  readonly stored: Promise<boolean>;
  readonly cancel: () => void;
}

export class LateAnswers {
  readonly #ports: Ports;
  readonly #turns: TurnLoop;
  readonly #residency: Residency;
  readonly #finished: ReopenFinished;
  readonly #gathered = new Map<string, Gathered>();

  constructor(ports: Ports, turns: TurnLoop, residency: Residency, finished: ReopenFinished) {
    this.#ports = ports;
    this.#turns = turns;
    this.#residency = residency;
    this.#finished = finished;
  }

  /**
   * Resolves with true once it is stored or if it does not matter, with false if it must be
   * reported again.
   */
  async add(last: Flow, answer: LateAnswer): Promise<boolean> {
    const { kind } = answer.outcome;
    // When the time of an attempt was over, nothing but a success is of interest.
    if (!isFinished(last.status)) return kind !== "answered" || this.#tellParked(last, answer);
    if (kind === "unknown" || kind === "not-sent" || !isAwaited(last, answer)) return true;
    const { taskflowId } = last;
    if (this.#turns.isStopped) return false;
    const gathered = this.#gathered.get(taskflowId) ?? this.#gather(taskflowId);
    gathered.answers.push(answer);
    return gathered.stored;
  }

  async #tellParked({ taskflowId, idBase }: Flow, answer: LateAnswer): Promise<boolean> {
    try {
      const resident = await this.#residency.load(taskflowId);
      if (resident?.flow.idBase !== idBase) return false;
      this.#turns.give(resident, answer);
      return true;
    } catch (error) {
      this.#ports.logger.warn(`Taskflow ${taskflowId} cannot be read; a late response to it is lost.`, error);
      return false;
    }
  }

  /** What has been gathered is dropped. */
  stop(): void {
    for (const { cancel } of this.#gathered.values()) cancel();
    this.#gathered.clear();
  }

  #gather(taskflowId: string): Gathered {
    const { clock, logger } = this.#ports;
    const answers: LateAnswer[] = [];
    let cancel = (): void => {};
    const stored = new Promise<boolean>((resolve) => {
      const unfire = clock.after(GATHER_MS, () => {
        this.#gathered.delete(taskflowId);
        this.#record(taskflowId, answers).then(resolve, (error: unknown) => {
          logger.warn(`Late responses to taskflow ${taskflowId} could not be recorded.`, error);
          resolve(false);
        });
      });
      cancel = () => (unfire(), resolve(false));
    });
    const gathered = { answers, stored, cancel };
    this.#gathered.set(taskflowId, gathered);
    return gathered;
  }

  async #record(taskflowId: string, answers: readonly LateAnswer[]): Promise<boolean> {
    const { store, clock } = this.#ports;
    const stored = await store.read(taskflowId);
    if (!stored) return true;
    let resident = this.#turns.residents.get(taskflowId);
    if (!resident) {
      // The next owner queries the workers.
      if (!isFinished(stored.row.status) || (await this.#finished.eligibleOwner(stored.row)) !== undefined) return false;
      const restored = rehydrate(stored);
      if (this.#finished.preview(restored, answers).facts.length === 0) return true;
      resident = await this.#finished.take(restored);
    }
    if (!resident) return false;
    this.#turns.give(resident, ...answers);
    await new Promise<void>((resolve) => clock.soon(resolve));
    await this.#turns.committed(taskflowId);
    return resident.state !== "reading" && !answers.some((answer) => isAwaited(resident.flow, answer));
  }
}

function isAwaited(flow: Flow, { task: ordinal, attempt }: LateAnswer): boolean {
  const task = taskAt(flow, ordinal);
  return task !== undefined && task.attempt === attempt && awaitsLate(task);
}
