import { describe, expect, test } from "@jest/globals";
import { COMMANDS_KEPT } from "../../lib/core/journal/build.ts";
import type { Command, Expect } from "../../lib/core/model/command.ts";
import { decodeEntry, replay } from "../../lib/core/journal/journal.ts";
import { ASK, cancelTask, ended, FATAL, resolve, retry } from "../helpers/commands.ts";
import { answered, CoreRun, written } from "../helpers/core-run.ts";

describe("a decision based on a state", () => {
  const button: Expect = { taskId: "a", attempt: 0 };

  test.each<[string, Command]>([
    ["retry", retry()],
    ["resolve", resolve("a")],
    ["cancel", { kind: "cancel" }],
  ])("is accepted once: after %s each further one is refused and changes nothing", (_, first) => {
    for (const second of [retry(), retry("a"), resolve("a"), cancelTask("a")]) {
      const run = ended([["a"], ["b"]], ["a"], ASK);
      run.handleCommand(first, { expect: button });
      expect(["TASKFLOW_CONFLICT", "TASKFLOW_ALREADY_FINISHED"]).toContain(run.refusal(second, { expect: button }));
    }
  });

  test("is refused after the task was retried and failed again", () => {
    const run = ended([["a"]], ["a"], ASK);
    run.handleCommand(retry(), { expect: button });
    run.send();
    run.answer("a", FATAL);
    expect(run.refusal({ kind: "cancel" }, { expect: button })).toBe("TASKFLOW_CONFLICT");
    expect(run.handleCommand({ kind: "cancel" }, { expect: { taskId: "a", attempt: 1 } })).toMatchObject({ status: "CANCELLED" });
  });

  test("is refused if an outcome query has found a success instead", () => {
    const run = new CoreRun([{ a: { exactlyOnceTaskExecution: true, ...ASK } }, ["b"]]).begin();
    run.send();
    run.timeOut("a");
    run.reply("a", { kind: "silent" });
    run.handleCommand(retry(), { expect: button });
    run.reply("a", { kind: "done", outcome: answered(1) });
    expect(run.refusal(retry("a"), { expect: button })).toBe("TASKFLOW_CONFLICT");
  });

  test("applies to the command's task if it names none", () => {
    const run = ended([["a"]], ["a"], ASK);
    expect(run.refusal(resolve("a"), { expect: { attempt: 4 } })).toBe("TASKFLOW_CONFLICT");
    expect(run.refusal(retry(), { expect: { attempt: 0 } })).toBe("TASKFLOW_CONFLICT");
    expect(run.refusal(retry(), { expect: { taskId: "nobody" } })).toBe("TASK_NOT_FOUND");
    expect(run.handleCommand(resolve("a"), { expect: { attempt: 0 } })).toMatchObject({ status: "COMPLETED" });
  });

  test("may require a revision, which must match exactly, also within one commit", () => {
    const run = ended([["a"]], ["a"], ASK);
    const { revision } = run.flow;
    expect(run.refusal(retry(), { expect: { revision: revision - 1 } })).toBe("TASKFLOW_CONFLICT");
    const decide = (correlationId: number, command: Command) =>
      ({ kind: "command", correlationId, command, expect: { revision } }) as const;
    expect(run.give(decide(1, retry()), decide(2, { kind: "cancel" })).answers).toMatchObject([
      { correlationId: 1, answer: { ok: true } },
      {
        correlationId: 2,
        answer: { ok: false, type: "TASKFLOW_CONFLICT", data: { revision: revision + 1, expected: revision } },
      },
    ]);
    expect(run.flow.status).toBe("RUNNING");
  });

  test("with the current revision takes earlier decisions into account", () => {
    const run = ended([["a", "b"]], ["a", "b"]);
    run.handleCommand(resolve("a", "SKIPPED"));
    expect(run.refusal(retry("a"), { expect: button })).toBe("TASKFLOW_CONFLICT");
    expect(run.handleCommand(retry("a"), { expect: { ...button, revision: run.flow.revision } })).toMatchObject({
      retryAttempt: 2,
    });
  });
});

describe("a command with an id", () => {
  test("gets its first answer when repeated, whatever has happened since, and does nothing", () => {
    const run = ended([["a"]], ["a"]);
    const first = run.handleCommand(retry(), { id: "once" });
    run.send();
    run.answer("a", FATAL);
    run.flow = replay(written(run).map(decodeEntry));
    const again = run.command(retry(), { id: "once", expect: { revision: 1 } });
    expect(again.answer).toEqual({ ok: true, data: first });
    expect(again.facts).toEqual([]);
    expect(run.flow).toMatchObject({ status: "FAILED", retryAttempt: 1 });
  });

  test("is handled once within one commit", () => {
    const run = ended([["a"]], ["a"]);
    const given = { kind: "command", correlationId: 1, id: "once", command: retry() } as const;
    const { answers } = run.give(given, { ...given, correlationId: 2 });
    expect(answers[1]).toEqual({ ...answers[0], correlationId: 2 });
    expect(run.flow.retryAttempt).toBe(1);
  });

  test("that was refused may succeed later", () => {
    const run = new CoreRun([["a"]]).begin();
    expect(run.refusal(retry(), { id: "once" })).toBe("TASKFLOW_NOT_RETRYABLE");
    run.send();
    run.answer("a", FATAL);
    expect(run.handleCommand(retry(), { id: "once" })).toMatchObject({ retryAttempt: 1 });
  });

  test(`is remembered among the latest ${COMMANDS_KEPT}, also after a restart`, () => {
    const run = new CoreRun([["a"]]).begin();
    for (let n = 0; n <= COMMANDS_KEPT; n++) run.handleCommand({ kind: "annotate", type: "n", value: n }, { id: `id-${n}` });
    for (const flow of [run.flow, replay(written(run).map(decodeEntry))]) {
      expect(Array.from(flow.commands.keys())).toEqual(Array.from({ length: COMMANDS_KEPT }, (_, n) => `id-${n + 1}`));
    }
    expect(run.command({ kind: "annotate", type: "n", value: 1 }, { id: "id-1" }).facts).toEqual([]);
    expect(run.command({ kind: "annotate", type: "n", value: 0 }, { id: "id-0" }).facts).toHaveLength(2);
  });
});
