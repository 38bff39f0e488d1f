import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";

import { DEFAULT_LIMITS } from "../../lib/config/limits.ts";
import { validateTaskflow } from "../../lib/validation/index.ts";
import { aStage, aTaskflow, CONTEXT, nested, pathsOf, problemsOf, withTask, type Loose } from "../helpers/definitions.ts";
import { runs } from "../helpers/runs.ts";

const task0 = "/stages/0/tasks/0";

describe("arbitrary input", () => {
  const keys = fc.constantFrom(
    "name",
    "type",
    "stages",
    "tasks",
    "taskDetails",
    "options",
    "params",
    "meta",
    "tags",
    "attributes",
    "__proto__",
    "toJSON",
  );
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: "medium" },
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withSparseArray: true,
        withNullPrototype: true,
      }),
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.array(fc.tuple(keys, tie("tree")), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
    ),
  }));

  test("validation never throws and never changes its input", () => {
    fc.assert(
      fc.property(tree, (params) => {
        const before = fc.stringify(params);
        const result = validateTaskflow(params, CONTEXT);
        expect(fc.stringify(params)).toBe(before);
        expect(result.ok || result.problems.length > 0).toBe(true);
      }),
      { numRuns: runs(500, 2_000) },
    );
  });

  test("accepted input is exactly its JSON form", () => {
    const data = fc.anything({
      withDate: true,
      withMap: true,
      withSet: true,
      withSparseArray: true,
      withNullPrototype: true,
      withBoxedValues: true,
    });
    fc.assert(
      fc.property(fc.dictionary(fc.oneof(keys, fc.string()), data), (params) => {
        const result = validateTaskflow(withTask({ params }), { ...CONTEXT, limits: { ...DEFAULT_LIMITS, jsonDepth: 1_000 } });
        if (!result.ok) return;
        expect(result.text).toBe(JSON.stringify(withTask({ params })));
        expect(JSON.stringify(result.definition)).toBe(result.text);
        expect(result.definition).toEqual(JSON.parse(result.text));
      }),
      { numRuns: runs(500, 2_000) },
    );
  });

  test("a key __proto__ in params stays data and reaches no prototype", () => {
    const result = validateTaskflow(withTask({ params: JSON.parse(`{"__proto__":{"polluted":true}}`) }), CONTEXT);
    if (!result.ok) throw new Error("refused");
    const params = result.definition.stages[0]?.tasks[0]?.params ?? {};
    expect(Object.getPrototypeOf(params)).toBe(Object.prototype);
    expect(JSON.stringify(params)).toBe(`{"__proto__":{"polluted":true}}`);
  });

  test("a key __proto__ in meta is refused, because meta is merged", () => {
    expect(pathsOf(withTask({ meta: JSON.parse(`{"__proto__":{"admin":true}}`) }))).toEqual([`${task0}/meta/__proto__`]);
  });

  test("a cycle is reported with its path", () => {
    const params: Loose = { a: {} };
    params["b"] = { back: params };
    expect(problemsOf(withTask({ params }))).toEqual([
      { path: `${task0}/params/b/back`, keyword: "json", message: expect.stringContaining("contains itself") as unknown },
    ]);
  });

  test("a BigInt is reported with its path", () => {
    expect(problemsOf(withTask({ params: { list: [1, 2n] } }))).toEqual([
      { path: `${task0}/params/list/1`, keyword: "json", message: expect.stringContaining("BigInt 2") as unknown },
    ]);
  });

  test("a getter or a proxy that throws is a problem, not an exception", () => {
    const thrower = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error("no");
        },
        has: () => {
          throw new Error("no");
        },
      },
    );
    expect(pathsOf(thrower)).toEqual([""]);
    expect(
      pathsOf(
        withTask({
          params: {
            get a() {
              throw new Error("no");
            },
          },
        }),
      ),
    ).toEqual([""]);
    expect(
      pathsOf(
        withTask({
          params: {
            toJSON() {
              throw new Error("no");
            },
          },
        }),
      ),
    ).toEqual([""]);
  });

  test("objects 100,000 deep are refused without a crash", () => {
    expect(problemsOf(withTask({ params: nested(100_000) }))).toEqual([expect.objectContaining({ keyword: "jsonDepth" })]);
    expect(pathsOf(withTask({ options: nested(100_000) }))).toHaveLength(1);
    expect(pathsOf(nested(100_000))).toHaveLength(1);
    for (let depth = 1_000; depth < 12_000; depth += 250) {
      expect(pathsOf(withTask({ params: nested(depth) }))).toHaveLength(1);
    }
  });

  test("hundreds of thousands of problems are refused quickly, with a short list", () => {
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, 1]));
    const floods = [
      { ...aTaskflow(), ...wide },
      aTaskflow({ attributes: wide }),
      aTaskflow({ tags: Array.from({ length: 300_000 }, () => 1) }),
      { stages: Array.from({ length: 300_000 }, () => ({})) },
      { stages: [aStage({ tasks: Array.from({ length: 300_000 }, () => 5) })] },
      withTask({ options: wide }),
    ];
    for (const flood of floods) {
      const problems = problemsOf(flood);
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.length).toBeLessThanOrEqual(101);
    }
  });
});
