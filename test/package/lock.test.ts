/**
 * The lock file is whole: npm installs from it as it is, on any platform, and has nothing to add.
 */
import { expect, it } from "@jest/globals";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, readText } from "../helpers/source-files.ts";
import { tempFolder } from "../helpers/temp.ts";
import { execIn, npm } from "./npm.ts";

interface Lock {
  readonly packages: Readonly<Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>>;
}

/** A new folder with what npm reads of the repository before it installs. */
function manifestFolder(): string {
  const folder = tempFolder();
  for (const file of ["package.json", "package-lock.json", ".npmrc"]) copyFileSync(join(ROOT, file), join(folder, file));
  return folder;
}

/** npm before 11 drops the C library that a package is built for. */
function withoutLibc(text: string): Lock {
  return JSON.parse(text, (key, value: unknown) => (key === "libc" ? undefined : value)) as Lock;
}

it("is accepted by npm ci", async () => {
  const output = await npm(manifestFolder(), "ci", "--dry-run", "--ignore-scripts");
  expect(output).toMatch(/^added \d+ packages/m);
});

it("is left as it is by npm install", async () => {
  const folder = manifestFolder();
  await npm(folder, "install", "--package-lock-only", "--ignore-scripts");
  const after = readFileSync(join(folder, "package-lock.json"), "utf8");
  expect(withoutLibc(after)).toEqual(withoutLibc(readText("package-lock.json")));
});

it("names the optional packages of every platform", () => {
  const { packages } = JSON.parse(readText("package-lock.json")) as Lock;
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
    ),
  );
  expect(missing).toEqual([]);
});

it("gives the image every peer, and nothing else of development", async () => {
  const [, install = ""] = /^RUN (npm pkg .*npm ci)\b/m.exec(readText("Dockerfile")) ?? [];
  const output = await execIn(manifestFolder(), "sh", "-c", `${install} --dry-run --ignore-scripts`);
  const added = new Map([...output.matchAll(/^add (\S+) (\S+)$/gm)].map(([, name = "", version]) => [name, version]));
  const { devDependencies, peerDependencies } = JSON.parse(readText("package.json")) as Record<string, Record<string, string>>;
  const kept = Object.entries(devDependencies ?? {}).filter(([name]) => added.has(name));
  expect(kept.map(([name]) => name)).toEqual(Object.keys(peerDependencies ?? {}));
  expect(kept.map(([name]) => [name, added.get(name)])).toEqual(kept);
});
