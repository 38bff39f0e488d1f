/** Expressions and templates: how they are parsed, found wrong, and computed at once. */
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import jsonata from "jsonata";
import { ExpressionSyntaxError, MAX_EXPRESSION_LENGTH, parseExpression } from "../../lib/definitions/expressions/expression.ts";
import { NOT_PLAIN, walk } from "../../lib/definitions/expressions/path.ts";
import { fill, parseTemplate } from "../../lib/definitions/expressions/template.ts";
import { validateTaskflow } from "../../lib/validation/index.ts";
import { CONTEXT } from "../helpers/definitions.ts";

const partsOf = (text: string): unknown =>
  parseTemplate(text)?.map((part) => (typeof part === "string" ? part : [part.expression.source]));

function mistakeOf(text: string): { message: string; position: number } | undefined {
  try {
    parseTemplate(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof ExpressionSyntaxError)) throw error;
    return { message: error.message, position: error.position };
  }
}

describe("a template", () => {
  test.each([
    ["no template", undefined],
    ["costs $5, {a}", undefined],
    ["${context.a}", [["context.a"]]],
    ["a ${x} b${y}", ["a ", ["x"], " b", ["y"]]],
    ["${ {'k': 1}.k }!", [[" {'k': 1}.k "], "!"]],
    ['${context["}"]}', [['context["}"]']]],
    ["$${x}", ["$", ["x"]]],
  ])("%s has its parts", (text, parts) => {
    expect(partsOf(text)).toEqual(parts);
  });

  test.each([
    ["${context.", 'it has no "}" at its end', 10],
    ["${}", "it is empty", 2],
    ["${1 +}", "unexpected end of expression", 5],
    ["id ${a b}", 'syntax error: "b"', 7],
    [
      "${$match(a, /(?=b)/)}",
      "its regular expression is not one of RE2: error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
      19,
    ],
  ])("%s has its mistake at its place", (text, message, position) => {
    expect(mistakeOf(text)).toEqual({ message, position });
  });

  test("of any length and depth is refused or parsed without exhausting the stack", () => {
    expect(mistakeOf(`\${${"(".repeat(4_000)}}`)?.message).toBeDefined();
    expect(mistakeOf(`\${${"[".repeat(1_000)}${"]".repeat(1_000)}}`)?.message).toBe("it nests too deep");
    expect(mistakeOf(`\${${"a".repeat(MAX_EXPRESSION_LENGTH + 1)}}`)?.message).toBe("it has more than 8192 characters");
    expect(mistakeOf(`\${${"}".repeat(1_000_000)}`)).toBeDefined();
  });

  test("keeps the type of a single value, omits keys of absent ones, and writes values into text", () => {
    const values: Record<string, unknown> = { n: 1, o: { a: [1] }, f: false, z: null };
    const given = {
      n: "${n}",
      o: ["${o}", "${none}"],
      text: "${n}-${f}-${none}-${o}-${z}",
      none: "${none}",
      keep: "x",
      zero: "${z}",
    };
    expect(fill(given, ({ source }) => values[source])).toEqual({
      n: 1,
      o: [{ a: [1] }, null],
      text: '1-false--{"a":[1]}-',
      keep: "x",
      zero: null,
    });
  });
});

describe("a plain path", () => {
  const key = fc.constantFrom("a", "b", "constructor", "__proto__", "length");
  const { tree: json } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom<unknown>(null, 0, 1, "", "text", false, true),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom("a", "b"), tie("tree")),
    ),
  }));
  const step = fc.oneof(key, fc.integer({ min: 0, max: 2 }));

  test("has the value that JSONata computes, or is left to it", async () => {
    await fc.assert(
      fc.asyncProperty(json, key, fc.array(step, { maxLength: 4 }), async (scope, first, rest) => {
        const steps = [first, ...rest];
        const source = steps
          .map((each, index) => (typeof each === "number" ? `[${each}]` : `${index > 0 ? "." : ""}${each}`))
          .join("");
        expect(parseExpression(source).path).toEqual(steps);
        const value = walk(scope, steps);
        if (value === NOT_PLAIN) return;
        const computed: unknown = await jsonata(source).evaluate(scope);
        expect(JSON.stringify(value)).toBe(JSON.stringify(computed));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each(["context.*", "$sum(context.a)", "context.a[b=1]", "context.a[-1]", "context.a^(b)", "context.a{b: c}", "1", "$"])(
    "%s is none",
    (source) => {
      expect(parseExpression(source).path).toBeUndefined();
    },
  );
});

describe("produce checks templates", () => {
  const problemsOf = (params: object, earlier = "create"): string[] => {
    const task = (name: string, more: object = {}): object => ({
      name,
      type: "ACTION",
      taskDetails: { serviceId: "svc", actionName: "act" },
      ...more,
    });
    const definition = {
      stages: [
        { name: earlier, tasks: [task("group"), task("two words")] },
        { name: "use", tasks: [task("it", { params })] },
        { name: "late", tasks: [task("last")] },
      ],
    };
    const checked = validateTaskflow(definition, CONTEXT);
    return checked.ok ? [] : checked.problems.map(({ message }) => message);
  };

  test.each([
    "${context.a.b}",
    "${stages.create.tasks.group.response.id}",
    "${stages.create.tasks.`two words`.status}",
    "${stages.create.status}",
    "${previousStageRes[0].response}",
    "${previousStageRes[taskName='group'].response}",
    "${taskflow.id}",
    "${$sum(stages.create.tasks.*.response.n)}",
    "${context.items[price > 3].{'name': title}}",
    "${$map(context.items, function($item) { $item.price })}",
    "${($x := context.a; $x.b & 'text')}",
    "${context.a ? 'yes' : 'no'}",
    "${$$.context}",
    "${stages.*}",
  ])("accepts %s", (text) => {
    expect(problemsOf({ value: [text] })).toEqual([]);
  });

  test.each([
    ["${stages.crate.tasks.group.response}", 'character 10: "crate" is unknown: did you mean "create"?', 11],
    ["${stages.create.tasks.grup.response}", 'character 23: "grup" is unknown: did you mean "group"?', 24],
    ["${stages.create.tasks.group.respons}", 'character 29: "respons" is unknown: did you mean "response"?', 30],
    ["${stages.create.task.group}", 'character 17: "task" is unknown: did you mean "tasks"?', 18],
    ["${stages.late.tasks.last.response}", 'character 10: the stage "late" runs later.', 11],
    [
      "${stages.use.tasks.it.response}",
      'character 10: the stage "use" is the task\'s own stage, whose tasks run at the same time.',
      11,
    ],
    ["${contex.a}", 'character 3: "contex" is unknown: did you mean "context"?', 4],
    ["${$sum(price)}", 'character 8: "price" is unknown. Known names: context, stages, previousStageRes, taskflow.', 9],
    ["a ${1 +}", "character 8: unexpected end of expression.", 9],
  ])("refuses %s with the place of the mistake", (text, mistake, caret) => {
    const at = "/stages/1/tasks/0/params/value/0";
    expect(problemsOf({ value: [text] })).toEqual([
      `${at} must be a template that can be computed, got a mistake at ${mistake}\n  ${text}\n${" ".repeat(caret)}^`,
    ]);
  });

  test("shows the surroundings of a mistake in a long text", () => {
    const [message = ""] = problemsOf({ value: `${"x".repeat(500)}\${1 +}${"y".repeat(500)}` });
    expect(message.split("\n").at(-2)).toBe(`  ${"x".repeat(35)}\${1 +}${"y".repeat(39)}`);
    expect(message.split("\n").at(-1)).toBe(`${" ".repeat(42)}^`);
  });

  test.each([
    ["stage", "context.a > 1", undefined],
    ["stage", "stages.use.status", 'character 8: the stage "use" is the task\'s own stage, whose tasks run at the same time.'],
    ["task", "${context.a}", 'character 1: it is an expression itself, without "${" and "}".'],
    ["task", "context.a >", "character 12: unexpected end of expression."],
    ["output", "${previousStageRes}", 'character 3: "previousStageRes" is unknown. Known names: context, stages, taskflow.'],
    ["output", "${stages.late.tasks.last.response}", undefined],
  ])("checks the condition or output of a %s: %s", (of, text, mistake) => {
    const tasks = (name: string): object[] => [
      { name, type: "ACTION", taskDetails: { serviceId: "svc", actionName: "act" }, ...(of === "task" ? { when: text } : {}) },
    ];
    const use = { name: "use", tasks: tasks("it"), ...(of === "stage" ? { when: text } : {}) };
    const definition = { stages: [use, { name: "late", tasks: tasks("last") }], ...(of === "output" ? { output: [text] } : {}) };
    const checked = validateTaskflow(definition, CONTEXT);
    const messages = checked.ok ? [] : checked.problems.map(({ message }) => message.split("\n")[0]);
    const [first] = messages;
    expect(first?.replace(/^.* got a mistake at /, "")).toBe(mistake);
  });
});
