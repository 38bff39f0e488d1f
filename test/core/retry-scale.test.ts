import { describe, expect, test } from "@jest/globals";
import { build } from "../../lib/core/journal/build.ts";
import type { Command } from "../../lib/core/model/command.ts";
import { decide } from "../../lib/core/decide.ts";
import type { Flow } from "../../lib/core/model/flow.ts";
import { taskId } from "../../lib/core/model/ids.ts";
import { answered, calls, CoreRun, routerTo } from "../helpers/core-run.ts";

/** Without the checks of `CoreRun`, which visit every task after every step. */
function flowOf(stages: readonly (readonly string[])[]): Flow {
  const flow = build(new CoreRun(stages).created, 1);
  decide(flow, [{ kind: "begin" }], 1);
  return flow;
}

const numbered = (count: number, prefix = "t"): string[] => Array.from({ length: count }, (_, index) => prefix + index);

/** Runs to the end with handlers that succeed. Returns the number of attempts. */
function finish(flow: Flow): number {
  let sent = 0;
  for (;;) {
    const attempts = calls(decide(flow, [], 2, routerTo("w", 100_000)).effects);
    if (attempts.length === 0) return sent;
    decide(
      flow,
      attempts.map(({ task, attempt }) => ({ kind: "answer", task, attempt, outcome: answered(1) })),
      3,
    );
    sent += attempts.length;
  }
}

function handleCommand(flow: Flow, command: Command): number {
  const { answer } = decide(flow, [{ kind: "command", correlationId: 1, command }], 4).answers[0] ?? {};
  if (!answer?.ok) throw new Error(answer?.message);
  return (answer.data["retried"] as unknown[] | undefined)?.length ?? 0;
}

/** Anything quadratic in the size would take minutes. */
const PATIENCE = 120_000;

describe("commands about a large taskflow take time proportional to its size", () => {
  test(
    "10,000 stages are retried, by all ways of naming them, run and cancelled",
    () => {
      const size = 10_000;
      const flow = flowOf(numbered(size).map((name) => [name]));
      expect(finish(flow)).toBe(size);
      const ways: Command[] = [
        { kind: "retry" },
        { kind: "retry", selection: numbered(size, "s").map((stage) => ({ stage })) },
        { kind: "retry", selection: [{ tasks: numbered(size) }] },
        { kind: "retry", selection: [{ stage: "s0" }], cascade: true },
      ];
      for (const way of ways) {
        expect(handleCommand(flow, way)).toBe(size);
        expect(finish(flow)).toBe(size);
        expect(flow.status).toBe("COMPLETED");
      }
      handleCommand(flow, { kind: "retry" });
      handleCommand(flow, { kind: "cancel" });
      expect(handleCommand(flow, { kind: "retry", mode: "failed" })).toBe(1);
      expect(finish(flow)).toBe(size);
    },
    PATIENCE,
  );

  test(
    "100,000 tasks are retried, by name and by id, and cancelled",
    () => {
      const size = 100_000;
      const flow = flowOf([numbered(size - 1), ["last"]]);
      finish(flow);
      expect(handleCommand(flow, { kind: "retry", selection: [{ stage: "s0", tasks: numbered(size - 1) }], cascade: true })).toBe(
        size,
      );
      handleCommand(flow, { kind: "cancel" });
      const ids = flow.tasks.map(({ ordinal }) => ({ tasks: [taskId(flow.idBase, ordinal)] }));
      expect(handleCommand(flow, { kind: "retry", selection: ids })).toBe(size);
      expect(finish(flow)).toBe(size);
      expect(flow.status).toBe("COMPLETED");
    },
    PATIENCE,
  );
});
