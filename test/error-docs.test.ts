import { expect, it } from "@jest/globals";
import { ERRORS } from "../lib/errors/catalogue.ts";
import { readText } from "./helpers/source-files.ts";

it("has every error of the catalogue in docs/errors.md, word for word, and no other", () => {
  const rows = readText("docs/errors.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  const expected = Object.entries(ERRORS).map(
    ([type, { code, meaning, whatToDo }]) => `| \`${type}\` | ${code} | ${meaning} | ${whatToDo} |`,
  );
  expect(rows.toSorted()).toEqual(expected.toSorted());
});
