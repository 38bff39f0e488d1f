import { expect, it } from "@jest/globals";
import { ERRORS } from "../lib/errors/catalogue.ts";
import { readText, repositoryFiles } from "./helpers/source-files.ts";

it("has every error of the catalogue in docs/errors.md, word for word, and no other", () => {
  const rows = readText("docs/errors.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  const expected = Object.entries(ERRORS).map(
    ([type, { code, meaning, whatToDo }]) => `| \`${type}\` | ${code} | ${meaning} | ${whatToDo} |`,
  );
  expect(rows.toSorted()).toEqual(expected.toSorted());
});

it("has no error in the catalogue that nothing raises", () => {
  const catalogue = "lib/errors/catalogue.ts";
  const product = repositoryFiles().filter((path) => /^(lib|services|mixins)\/.*\.ts$/.test(path) && path !== catalogue);
  const texts = product.map((path) => readText(path));
  const isRaised = (type: string): boolean => texts.some((text) => new RegExp(`\\b${type}\\b`).test(text));
  expect(Object.keys(ERRORS).filter((type) => !isRaised(type))).toEqual([]);
});
