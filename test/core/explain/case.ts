/** A state of a taskflow, with its expected reason. */
import type { Command } from "../../../lib/core/model/command.ts";
import { taskId } from "../../../lib/core/model/ids.ts";
import type { ReasonCode } from "../../../schemas/reasons.ts";
import type { OwnerState, Observations } from "../../../lib/core/explain/observed.ts";
import { answered, CoreRun, failed, ID_BASE, sketch, START, TYPES } from "../../helpers/core-run.ts";

export type Own = Extract<OwnerState, { kind: "this" }>;

export const own = (more: Partial<Own> = {}): Own => ({
  kind: "this",
  isLoaded: true,
  restsUntil: null,
  hasLease: true,
  isDraining: false,
  inFlight: 3,
  maxInFlight: 1_000,
  sent: () => ({ sentAt: START, heardAt: null, isUnsent: false }),
  ...more,
});

export const observed = (run: CoreRun, more: Partial<Observations> = {}): Observations => ({
  now: run.now,
  coordinator: "c1",
  owner: own(),
  types: TYPES,
  isBusUp: true,
  nodes: 3,
  isConnected: () => true,
  offers: () => 1,
  pausedBy: () => undefined,
  everythingPausedBy: undefined,
  storeError: null,
  ...more,
});

export const command = (run: CoreRun, input: Command): CoreRun => {
  run.give({ kind: "command", correlationId: 1, command: input });
  return run;
};

export const sentFlow = (options = {}): CoreRun => {
  const run = new CoreRun([{ a: options }, ["b"]]).begin();
  run.send();
  return run;
};

/** Task a's running handler produces a taskflow. */
export const produce = (run: CoreRun, child: string): void => {
  const id = taskId(ID_BASE, 0);
  command(run, { kind: "link", taskId: id, attempt: 0, delivery: 1, child, isChosen: false, maxDepth: 16 });
};

/** Task a succeeded, b failed, and a is being undone. */
export const undoing = (): CoreRun => {
  const definition = sketch([["a"], ["b"]], { options: { onFailure: "compensate" } as never });
  const [first, second] = definition.stages;
  const compensate = { taskDetails: { serviceId: "svc", actionName: "undo" } };
  const stages = [{ ...first!, tasks: [{ ...first!.tasks[0]!, compensate }] }, second!];
  const run = new CoreRun({ ...definition, stages }).begin();
  run.send();
  run.answer("a", answered(1));
  run.send();
  run.answer("b", failed());
  return run;
};

export const rule = { pattern: "svc.*", reason: "a drill", since: START - 60_000, coordinator: null };

export interface Case {
  readonly code: ReasonCode;
  readonly title: string;
  readonly sentence: string;
  readonly make: () => CoreRun;
  readonly more?: Partial<Observations>;
  readonly later?: number;
  readonly data?: Record<string, unknown>;
  readonly movedBy?: string | RegExp;
}
