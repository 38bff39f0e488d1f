import { describe, expect, test } from "@jest/globals";
import { ACTIONS, type Action, EVERY_ACTION, RIGHTS } from "../../schemas/actions/index.ts";
import { readText } from "../helpers/source-files.ts";

const entries = Object.entries<Action>(ACTIONS);

describe("the catalogue of actions", () => {
  test("uses each right, unless it belongs to a planned feature", () => {
    const asked = new Set(entries.flatMap(([, action]) => (action.kind === "internal" ? [] : [action.right])));
    const others = RIGHTS.filter((right) => !asked.has(right));
    expect(others.filter((right) => !/^(board|template|schedule):|^taskflow:signal$/.test(right))).toEqual([]);
  });

  test("gives each action its own summary, which is a sentence", () => {
    const summaries = entries.map(([, { summary }]) => summary);
    expect(new Set(summaries).size).toBe(entries.length);
    expect(summaries.filter((summary) => !/^[A-Z`].*\.$/.test(summary))).toEqual([]);
  });

  test("marks the actions between nodes as internal", () => {
    const internal = entries.flatMap(([name, { kind }]) => (kind === "internal" ? [name] : []));
    expect(internal).toEqual(["executeCommand", "produceBelow", "reportOutcome"]);
  });

  test("names each error that the comments of the client mention", () => {
    const client = readText("lib/client/taskflow-client.ts");
    const own = ["PAYLOAD_TOO_LARGE", ...EVERY_ACTION];
    const strays = entries.flatMap(([name, { errors }]) => {
      const comment = new RegExp(String.raw`/\*\*((?:(?!\*/)[^])*)\*/\s+(?:async )?${name}\(`).exec(client)?.[1] ?? "";
      const named = comment.match(/\b[A-Z]+_[A-Z_]+\b/g) ?? [];
      return named
        .filter((type) => ![...errors, ...own].includes(type as (typeof errors)[number]))
        .map((type) => `${name}: ${type}`);
    });
    expect(strays).toEqual([]);
    expect(client).toMatch(/@throws TASKFLOW_WAIT_TIMEOUT/);
  });
});
