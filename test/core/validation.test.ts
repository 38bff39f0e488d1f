import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { readTaskflowId, validateTaskflow } from "../../lib/validation/index.ts";
import { aStage, aTask, aTaskflow, CONTEXT, pathsOf, problemsOf, withTask, type Loose } from "../helpers/definitions.ts";

const task0 = "/stages/0/tasks/0";

describe("a good definition", () => {
  test("the example of the contract is accepted unchanged, and its text is that of the definition", () => {
    const text = readFileSync(new URL("../../examples/group.json", import.meta.url), "utf8");
    const definition: unknown = JSON.parse(text);
    const result = validateTaskflow(definition, CONTEXT);
    expect(result).toEqual({ ok: true, definition, text: JSON.stringify(definition) });
  });

  test("every supported property is accepted", () => {
    const options = {
      timeout: "2 hours",
      maxAge: "1.5h",
      maxRetries: -1,
      retryDelay: 0,
      backoff: { type: "exponential", factor: 1.5, maxDelay: "5m", jitter: true },
      continueOnTaskFailure: true,
      exactlyOnceTaskExecution: true,
      exactlyOnceExecution: true,
      checkSuccess: false,
      maxConcurrency: 5,
      onFailure: "compensate",
      waitForNested: false,
      forwardContext: true,
    };
    const task = aTask({ params: { a: [1, null, { b: "" }] }, meta: { user: { id: 1 } }, options });
    const flow = {
      taskflowId: "order:2024_01-A",
      name: "Ümläute 🚀",
      options: { ...options, eventTree: "full" },
      context: { any: ["thing"] },
      tags: ["a"],
      attributes: { a: "text", b: 0, c: false },
      tenant: "acme",
      detached: false,
      stages: [{ name: "one", options, tasks: [task] }],
    };
    expect(problemsOf(flow)).toEqual([]);
  });

  test("the short form becomes one stage named main", () => {
    const result = validateTaskflow({ name: "short", tasks: [aTask()] }, CONTEXT);
    const definition = { name: "short", stages: [{ name: "main", tasks: [aTask()] }] };
    expect(result).toEqual({ ok: true, definition, text: JSON.stringify(definition) });
  });

  test("the definition shares no object with the params", () => {
    const params = withTask({ params: { list: [{ a: 1 }] } });
    const result = validateTaskflow(params, CONTEXT);
    if (!result.ok) throw new Error("refused");
    Object.assign(result.definition.stages[0]?.tasks[0]?.params?.["list"] as object, { 0: "changed" });
    expect(params).toEqual(withTask({ params: { list: [{ a: 1 }] } }));
  });

  test.each<[string, Loose, string]>([
    ["a number as v<number>.", { serviceId: "users", actionName: "get", version: 2 }, "v2.users.get"],
    ["text as it is", { serviceId: "users", actionName: "get", version: "staging" }, "staging.users.get"],
    ["nothing as nothing", { serviceId: "admin.users", actionName: "list.all" }, "admin.users.list.all"],
  ])("a version stands before the action's name: %s", (_title, taskDetails, name) => {
    const asked: string[] = [];
    const isActionAllowed = (action: string): boolean => asked.push(action) > 0;
    validateTaskflow(withTask({ taskDetails }), { ...CONTEXT, isActionAllowed });
    expect(asked).toEqual([name]);
  });
});

describe("a bad definition", () => {
  const option = (options: unknown) => withTask({ options });
  test.each<[string, unknown, string[]]>([
    ["nothing", undefined, [""]],
    ["null", null, [""]],
    ["text", "taskflow", [""]],
    ["an array", [aTaskflow()], [""]],
    ["an empty object", {}, ["/stages"]],
    ["no stages", { stages: [] }, ["/stages"]],
    ["stages that are not an array", { stages: { 0: aStage() } }, ["/stages"]],
    ["stages and tasks", { ...aTaskflow(), tasks: [aTask()] }, ["/tasks"]],
    ["short form: tasks that are not an array", { tasks: 5 }, ["/tasks"]],
    ["short form: a task without a name", { tasks: [aTask({ name: undefined })] }, ["/tasks/0/name"]],
    ["an id with a slash", aTaskflow({ taskflowId: "a/b" }), ["/taskflowId"]],
    ["an id that is an object", aTaskflow({ taskflowId: { $ne: null } }), ["/taskflowId"]],
    ["an id with a line feed at its end", aTaskflow({ taskflowId: "a\n" }), ["/taskflowId"]],
    ["an empty name", aTaskflow({ name: "" }), ["/name"]],
    ["a context that is an array", aTaskflow({ context: [] }), ["/context"]],
    ["a tag that is not text", aTaskflow({ tags: ["a", 5] }), ["/tags/1"]],
    ["an attribute that is an object", aTaskflow({ attributes: { a: {} } }), ["/attributes/a"]],
    ["an attribute that is not finite", aTaskflow({ attributes: { a: Number.NaN } }), ["/attributes/a"]],
    [
      "an attribute named __proto__",
      JSON.parse(`{"attributes":{"__proto__":1},"stages":[]}`),
      ["/stages", "/attributes/__proto__"],
    ],
    ["an empty stage", { stages: [{}] }, ["/stages/0/name", "/stages/0/tasks"]],
    ["a stage that is null", { stages: [null] }, ["/stages/0"]],
    ["a stage without tasks", { stages: [aStage({ tasks: [] })] }, ["/stages/0/tasks"]],
    ["a task that is text", { stages: [aStage({ tasks: ["a"] })] }, [task0]],
    ["two stages of one name", { stages: [aStage(), aStage()] }, ["/stages/1/name"]],
    [
      "two tasks of one name in a stage",
      { stages: [aStage({ tasks: [aTask(), aTask({ name: "b" }), aTask()] })] },
      ["/stages/0/tasks/2/name"],
    ],
    ["a name with a line feed", withTask({ name: "a\nb" }), [`${task0}/name`]],
    ["a name with a C1 control character", withTask({ name: "a\u0085b" }), [`${task0}/name`]],
    ["the name __proto__", withTask({ name: "__proto__" }), [`${task0}/name`]],
    ["the name constructor", { stages: [aStage({ name: "constructor" })] }, ["/stages/0/name"]],
    ["no type", withTask({ type: undefined }), [`${task0}/type`]],
    ["a type of another version", withTask({ type: "NATS" }), [`${task0}/type`]],
    ["a type that is an object with a bad toString", withTask({ type: { toString: 1 } }), [`${task0}/type`]],
    ["no taskDetails", withTask({ taskDetails: undefined }), [`${task0}/taskDetails`]],
    [
      "a service with white space",
      withTask({ taskDetails: { serviceId: "a b", actionName: "c" } }),
      [`${task0}/taskDetails/serviceId`],
    ],
    [
      "an action with CR/LF",
      withTask({ taskDetails: { serviceId: "a", actionName: "c\r\nPUB" } }),
      [`${task0}/taskDetails/actionName`],
    ],
    [
      "wildcards",
      withTask({ taskDetails: { serviceId: "*", actionName: ">" } }),
      [`${task0}/taskDetails/serviceId`, `${task0}/taskDetails/actionName`],
    ],
    [
      "an empty version",
      withTask({ taskDetails: { serviceId: "a", actionName: "b", version: "" } }),
      [`${task0}/taskDetails/version`],
    ],
    ["params that are an array", withTask({ params: [] }), [`${task0}/params`]],
    ["meta that is text", withTask({ meta: "a" }), [`${task0}/meta`]],
    ["needs", withTask({ needs: ["a"] }), [`${task0}/needs`]],
    ["forEach, a wrong when", withTask({ when: "a", forEach: "b" }), [`${task0}/forEach`, `${task0}/when`]],
    ["when that is no text", withTask({ when: true }), [`${task0}/when`]],
    ["empty when", withTask({ when: "" }), [`${task0}/when`]],
    ["timeout 0", option({ timeout: 0 }), [`${task0}/options/timeout`]],
    ["timeout 0s", option({ timeout: "0s" }), [`${task0}/options/timeout`]],
    ["a negative delay", option({ retryDelay: -1 }), [`${task0}/options/retryDelay`]],
    ["a negative delay as text", option({ retryDelay: "-5s" }), [`${task0}/options/retryDelay`]],
    ["a number of retries as text", option({ maxRetries: "3" }), [`${task0}/options/maxRetries`]],
    ["maxRetries -2", option({ maxRetries: -2 }), [`${task0}/options/maxRetries`]],
    ["an unknown backoff", option({ backoff: { type: "random" } }), [`${task0}/options/backoff/type`]],
    ["jitter over 1", option({ backoff: { type: "fixed", jitter: 1.1 } }), [`${task0}/options/backoff/jitter`]],
    ["an unknown onFailure", option({ onFailure: "retry" }), [`${task0}/options/onFailure`]],
    ["eventTree of a task", option({ eventTree: "none" }), [`${task0}/options/eventTree`]],
    [
      "an alias that contradicts",
      option({ exactlyOnceExecution: true, exactlyOnceTaskExecution: false }),
      [`${task0}/options/exactlyOnceExecution`],
    ],
    ["an unknown key with a slash and a tilde", { ...aTaskflow(), "a/b~c": 1 }, ["/a~1b~0c"]],
  ])("is refused with the exact path: %s", (_title, params, paths) => {
    const problems = problemsOf(params);
    expect(problems.map((problem) => problem.path)).toEqual(paths);
    for (const { path, message } of problems) expect(message.startsWith(path === "" ? "params must " : path)).toBe(true);
  });

  test("problems of all levels are reported at once", () => {
    const params = {
      name: 5,
      options: { timeout: 0 },
      stages: [aStage({ tasks: [aTask({ name: "" }), aTask({ type: "WAIT" })] }), aStage({ extra: 1 })],
    };
    expect(pathsOf(params)).toEqual([
      "/name",
      "/options/timeout",
      `${task0}/name`,
      "/stages/0/tasks/1/type",
      "/stages/1/extra",
      "/stages/1/name",
    ]);
  });

  test("a wrong name gets the nearest known one as an answer, and one that resembles none gets all of them", () => {
    expect(problemsOf(withTask({ options: { timeOut: 5 } }))[0]?.message).toBe(
      `${task0}/options/timeOut is unknown: did you mean "timeout"?`,
    );
    expect(problemsOf(aTaskflow({ stages: [{ ...aStage(), xyzzy: 1 }] }))[0]?.message).toBe(
      "/stages/0/xyzzy is unknown. Known names: name, options, when, tasks.",
    );
  });

  test("planned features are reported as not supported", () => {
    expect(problemsOf(withTask({ type: "NATS" }))[0]?.message).toBe(
      `${task0}/type must be one of "ACTION", "TRANSFORM", got "NATS", which this version does not support.`,
    );
    expect(problemsOf(withTask({ needs: [] }))[0]?.message).toBe(
      `${task0}/needs is not supported by this version: leave "needs" out.`,
    );
  });

  test("an action that tasks may not call is a problem of the type ACTION_NOT_ALLOWED", () => {
    const problems = problemsOf(withTask({ taskDetails: { serviceId: "$node", actionName: "options" } }));
    expect(problems).toEqual([
      expect.objectContaining({ path: `${task0}/taskDetails`, value: "$node.options", type: "ACTION_NOT_ALLOWED" }),
    ]);
  });

  test("a long value is shortened", () => {
    const [problem] = problemsOf(aTaskflow({ name: "x".repeat(100_000) }));
    expect(problem?.value).toHaveLength(101);
    expect(problem?.message.length).toBeLessThan(300);
  });

  test("a hundred problems are listed, and the others are counted", () => {
    const stages = Array.from({ length: 150 }, (_, index) => aStage({ name: `stage${index}`, extra: 1 }));
    const problems = problemsOf({ stages });
    expect(problems).toHaveLength(101);
    expect(problems.at(-1)).toMatchObject({ path: "", more: 50 });
  });
});

describe("the id that the producer chose", () => {
  test.each<[unknown, string | undefined]>([
    [{ taskflowId: "a-b:c_1" }, "a-b:c_1"],
    [{ taskflowId: "a".repeat(128), stages: "nonsense" }, "a".repeat(128)],
    [{ taskflowId: "a".repeat(129) }, undefined],
    [{ taskflowId: "" }, undefined],
    [{ taskflowId: "a b" }, undefined],
    [{ taskflowId: "a\n" }, undefined],
    [{ taskflowId: { $ne: null } }, undefined],
    [{}, undefined],
    [null, undefined],
    ["a", undefined],
  ])("%j is read as %j", (params, id) => {
    expect(readTaskflowId(params)).toBe(id);
  });
});
