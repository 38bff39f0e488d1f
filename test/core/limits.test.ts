import { describe, expect, test } from "@jest/globals";
import { DEFAULT_LIMITS, LIMITS, type Limits } from "../../lib/config/limits.ts";
import { settingProblems } from "../../lib/config/settings.ts";
import { valuesOf } from "../../lib/util/setting.ts";
import { MAX_DURATION_MS } from "../../schemas/common.schema.ts";
import { aStage, aTask, aTaskflow, nested, problemsOf, withTask, type Loose } from "../helpers/definitions.ts";

const task0 = "/stages/0/tasks/0";

const tasks = (count: number, each: Loose = {}): Loose[] =>
  Array.from({ length: count }, (_, index) => aTask({ name: `t${index}`, ...each }));
const stages = (count: number): Loose[] => Array.from({ length: count }, (_, index) => aStage({ name: `s${index}` }));
const tags = (count: number): string[] => Array.from({ length: count }, (_, index) => `tag${index}`);
const attributes = (count: number): Loose =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`a${index}`, index]));
/** An object whose JSON text has this many bytes. */
const sized = (bytes: number, character = "x"): Loose => {
  const rest = bytes - Buffer.byteLength(JSON.stringify({ v: "" }));
  const width = Buffer.byteLength(character);
  return { v: character.repeat(Math.floor(rest / width)) + "x".repeat(rest % width) };
};
const definitionOf = (bytes: number): Loose => {
  const empty = Buffer.byteLength(JSON.stringify(aTaskflow({ stages: [aStage({ tasks: tasks(5, { params: { v: "" } }) })] })));
  const each = Math.floor((bytes - empty) / 5);
  const flow = aTaskflow({ stages: [aStage({ tasks: tasks(5, { params: { v: "x".repeat(each) } }) })] });
  const missing = bytes - Buffer.byteLength(JSON.stringify(flow));
  return JSON.parse(JSON.stringify(flow).replace(`"v":"`, `"v":"${"x".repeat(missing)}`)) as Loose;
};

describe("at a limit a taskflow is accepted, one over it is refused with the limit in the problem", () => {
  const D = DEFAULT_LIMITS;
  test.each<[string, (size: number) => unknown, number, string]>([
    ["tasks", (n) => aTaskflow({ stages: [aStage({ tasks: tasks(n) })] }), D.tasks, "/stages"],
    ["stages", (n) => aTaskflow({ stages: stages(n) }), D.stages, "/stages"],
    ["bytes of the definition", definitionOf, D.definitionBytes, ""],
    ["bytes of the params of a task", (n) => withTask({ params: sized(n) }), D.paramsBytes, `${task0}/params`],
    ["bytes of wide characters", (n) => withTask({ params: sized(n, "€") }), D.paramsBytes, `${task0}/params`],
    ["bytes of the context", (n) => aTaskflow({ context: sized(n) }), D.contextBytes, "/context"],
    ["depth of params", (n) => withTask({ params: nested(n) }), D.jsonDepth, `${task0}/params`],
    ["depth of params in arrays", (n) => withTask({ params: { a: [nested(n - 2)] } }), D.jsonDepth, `${task0}/params`],
    ["depth of meta", (n) => withTask({ meta: nested(n) }), D.jsonDepth, `${task0}/meta`],
    ["depth of the context", (n) => aTaskflow({ context: nested(n) }), D.jsonDepth, "/context"],
    ["tags", (n) => aTaskflow({ tags: tags(n) }), D.tags, "/tags"],
    ["characters of a tag", (n) => aTaskflow({ tags: ["x".repeat(n)] }), 256, "/tags/0"],
    ["attributes", (n) => aTaskflow({ attributes: attributes(n) }), D.attributes, "/attributes"],
    ["characters of an attribute's value", (n) => aTaskflow({ attributes: { a: "x".repeat(n) } }), 256, "/attributes/a"],
    ["maxRetries", (n) => withTask({ options: { maxRetries: n } }), D.maxRetries, `${task0}/options/maxRetries`],
    ["timeout", (n) => withTask({ options: { timeout: n } }), MAX_DURATION_MS, `${task0}/options/timeout`],
    ["maxAge", (n) => aTaskflow({ options: { maxAge: n } }), MAX_DURATION_MS, "/options/maxAge"],
    ["characters of a name", (n) => withTask({ name: "x".repeat(n) }), 256, `${task0}/name`],
    ["characters of a name outside the basic plane", (n) => withTask({ name: "🚀".repeat(n) }), 256, `${task0}/name`],
  ])("%s", (_title, make, limit, path) => {
    expect(problemsOf(make(limit))).toEqual([]);
    expect(problemsOf(make(limit + 1))).toEqual([expect.objectContaining({ path, limit })]);
  });

  test.each<[string, unknown, unknown, string]>([
    ["an id", aTaskflow({ taskflowId: "x".repeat(128) }), aTaskflow({ taskflowId: "x".repeat(129) }), "/taskflowId"],
    [
      "a duration as text",
      withTask({ options: { maxAge: "10y" } }),
      withTask({ options: { maxAge: "3653d" } }),
      `${task0}/options/maxAge`,
    ],
    [
      "an attribute's key",
      aTaskflow({ attributes: { ["k".repeat(256)]: 1 } }),
      aTaskflow({ attributes: { ["k".repeat(257)]: 1 } }),
      `/attributes/${"k".repeat(256)}…`,
    ],
  ])("%s", (_title, good, bad, path) => {
    expect(problemsOf(good)).toEqual([]);
    expect(problemsOf(bad)).toEqual([expect.objectContaining({ path })]);
  });
});

describe("limits of the service", () => {
  test("a limit that the settings lower or raise applies", () => {
    expect(problemsOf(aTaskflow({ tags: tags(3) }), { tags: 2 })).toEqual([expect.objectContaining({ path: "/tags", limit: 2 })]);
    expect(problemsOf(aTaskflow({ tags: tags(1_000) }), { tags: 1_000 })).toEqual([]);
    expect(problemsOf(aTaskflow({ attributes: attributes(1_000) }), { attributes: 1_000 })).toEqual([]);
    expect(problemsOf(aTaskflow({ attributes: attributes(1_001) }), { attributes: 1_000 })).toHaveLength(1);
    const over: Partial<Limits> = { tasks: 1, stages: 1 };
    expect(problemsOf(aTaskflow({ stages: stages(2) }), over).map((problem) => problem.keyword)).toEqual(["stages", "tasks"]);
  });

  test("the defaults apply otherwise", () => {
    expect(valuesOf(LIMITS, {})).toEqual(DEFAULT_LIMITS);
    expect(valuesOf(LIMITS, { tasks: 5 })).toEqual({ ...DEFAULT_LIMITS, tasks: 5 });
  });

  test.each<[Record<string, unknown>, string]>([
    [{ task: 5 }, '/task is unknown: did you mean "tasks"?'],
    [{ tasks: -1 }, "/tasks must be a whole number of at least 0, got -1."],
    [{ tasks: "5" }, '/tasks must be a whole number of at least 0, got "5".'],
    [{ tasks: 1.5 }, "/tasks must be a whole number of at least 0, got 1.5."],
    [{ tags: 1_001 }, "/tags must be a whole number from 0 to 1000, got 1001."],
    [{ jsonDepth: 1_001 }, "/jsonDepth must be a whole number from 0 to 1000, got 1001."],
  ])("%j is refused with a message that names it", (limits, sentence) => {
    expect(settingProblems(LIMITS, limits, "").map(({ message }) => message)).toEqual([sentence]);
  });
});
