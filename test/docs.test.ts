/**
 * Every code block of the documentation (`*.md`) is checked by its language:
 *
 * - `ts`, `js`: type-checked against the package's doors, in a project of its own with the
 *   repository's strictness. Each block is a module; `broker` is there. Blocks marked `ts run` are
 *   also run, and must end by themselves with exit code 0.
 * - `json`: must be JSON.
 * - `sh`: its npm scripts and the files that it names must exist.
 * - `text`, `yaml`, `http`, `mermaid`: not checked. No other language, and no block without one.
 *
 * Links to files of the repository, and to their headings, lead somewhere. Lines have at most 100
 * columns.
 */
import { beforeAll, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { generatedPages } from "../docs/generate/index.ts";
import { codeBlocks, filesOf, npmScriptsOf, shellCommands } from "./helpers/code-blocks.ts";
import type { CodeBlock } from "./helpers/code-blocks.ts";
import { startProcess } from "./helpers/processes.ts";
import { packageDoors, ROOT, readText, repositoryFiles } from "./helpers/source-files.ts";
import { tempFolder } from "./helpers/temp.ts";

const TESTED = new Set(["ts", "js", "json", "sh"]);
const LEFT_ALONE = new Set(["text", "yaml", "http", "mermaid"]);
const DOORS = new Map(Array.from(packageDoors(), ([specifier, path]) => [specifier, join(ROOT, path)]));

const pages = repositoryFiles().filter((path) => path.endsWith(".md"));
const blocks = pages.flatMap((path) => codeBlocks(path, readText(path)));
const blocksIn = (...languages: string[]): CodeBlock[] => blocks.filter(({ language }) => languages.includes(language));
const where = ({ path, line }: CodeBlock): string => `${path}:${line}`;
const fileNameOf = ({ path, line, language }: CodeBlock): string => `${path.replaceAll(/[/.]/g, "-")}-${line}.${language}`;

/** `describe.each` of nothing is an error; documentation without such a block is none. */
function forEachBlock(title: string, chosen: readonly CodeBlock[], test: (block: CodeBlock) => void | Promise<void>): void {
  for (const block of chosen) it(`${title}: ${where(block)}`, () => test(block));
}

it("has a README", () => {
  expect(existsSync(join(ROOT, "README.md"))).toBe(true);
});

it("marks every code block with a language that this test knows", () => {
  const unknown = blocks.filter(({ language }) => !TESTED.has(language) && !LEFT_ALONE.has(language));
  expect(unknown.map((block) => `${where(block)}: "${block.language}"`)).toEqual([]);
});

describe("TypeScript of the documentation", () => {
  const code = blocksIn("ts", "js");
  let folder = "";

  beforeAll(() => {
    folder = tempFolder();
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    writeFileSync(join(folder, "globals.d.ts"), `declare const broker: import("moleculer").ServiceBroker;\n`);
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: join(ROOT, "tsconfig.json"),
        compilerOptions: {
          allowJs: true,
          checkJs: true,
          moduleDetection: "force",
          paths: Object.fromEntries(Array.from(DOORS, ([specifier, path]) => [specifier, [path]])),
          typeRoots: [join(ROOT, "node_modules/@types")],
        },
        include: ["globals.d.ts", "blocks/*"],
      }),
    );
    mkdirSync(join(folder, "blocks"));
    mkdirSync(join(folder, "run"));
    for (const block of code) {
      writeFileSync(join(folder, "blocks", fileNameOf(block)), block.code);
      // What is run has the door's address in place of the package's name, which stands for built
      // code.
      const withDoors = block.code.replaceAll(/(["'])(moleculer-taskflow[\w/-]*)\1/g, (name, _quote, specifier: string) => {
        const door = DOORS.get(specifier);
        return door === undefined ? name : JSON.stringify(pathToFileURL(door).href);
      });
      writeFileSync(join(folder, "run", fileNameOf(block)), withDoors);
    }
  });

  it("passes the type check", () => {
    if (code.length === 0) return;
    const tsc = spawnSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder, "--pretty", "false"], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(tsc.stdout + tsc.stderr).toBe("");
    expect(tsc.status).toBe(0);
  });

  forEachBlock(
    "runs",
    code.filter(({ marks }) => marks.includes("run")),
    async (block) => {
      const child = startProcess(join(folder, "run", fileNameOf(block)), { cwd: folder });
      const timer = setTimeout(() => child.kill("SIGKILL"), 25_000);
      const exit = await child.exited;
      clearTimeout(timer);
      expect({ ...exit, stderr: child.stderr }).toEqual({ code: 0, signal: null, stderr: "" });
    },
  );
});

describe("JSON of the documentation", () => {
  forEachBlock("is valid", blocksIn("json"), ({ code }) => {
    expect(() => JSON.parse(code) as unknown).not.toThrow();
  });
});

describe("commands of the documentation", () => {
  const { scripts } = JSON.parse(readText("package.json")) as { scripts: Record<string, string> };

  forEachBlock("name scripts and files that exist", blocksIn("sh"), ({ code }) => {
    const commands = shellCommands(code);
    const missingScripts = commands.flatMap(npmScriptsOf).filter((name) => scripts[name] === undefined);
    const missingFiles = commands.flatMap(filesOf).filter((path) => !existsSync(join(ROOT, path)));
    expect({ missingScripts, missingFiles }).toEqual({ missingScripts: [], missingFiles: [] });
  });
});

it("has lines of at most 100 columns, tables and addresses excepted", () => {
  const isExcepted = (line: string): boolean => line.startsWith("|") || /https?:\/\/\S{40}/.test(line);
  const long = pages.flatMap((path) =>
    readText(path)
      .split("\n")
      .flatMap((line, index) => (line.length > 100 && !isExcepted(line) ? [`${path}:${index + 1}`] : [])),
  );
  expect(long).toEqual([]);
});

it("has its generated pages and tables as `npm run docs:generate` writes them", () => {
  for (const [path, text] of generatedPages()) expect([path, readText(path)]).toEqual([path, text]);
});

it("links only to files and headings that exist", () => {
  const missing = pages.flatMap((path) =>
    Array.from(readText(path).matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?[^)]*\)/g))
      .filter(([, file, heading]) => {
        const target = file ? posix.join(posix.dirname(path), file) : path;
        if (!existsSync(join(ROOT, target))) return true;
        return heading !== undefined && !headingsOf(readText(target)).includes(heading);
      })
      .map(([link]) => `${path} links to ${link}`),
  );
  expect(missing).toEqual([]);
});

/** The names by which GitHub links to the headings of a page. */
function headingsOf(markdown: string): string[] {
  return Array.from(markdown.matchAll(/^#+ (.+)$/gm), ([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("how the documentation is read", () => {
  it("finds fenced blocks with their language, marks and lines, in lists too", () => {
    const markdown = "# T\n\n```ts run\nconst a = 1;\n```\n\n- item\n  ```sh\n  npm test\n  ```\n\n````text\n```\n````\n";
    expect(codeBlocks("page", markdown)).toEqual([
      { path: "page", line: 3, language: "ts", marks: ["run"], code: "const a = 1;" },
      { path: "page", line: 8, language: "sh", marks: [], code: "npm test" },
      { path: "page", line: 12, language: "text", marks: [], code: "```" },
    ]);
    expect(() => codeBlocks("page", "```ts\n")).toThrow("line 1 has no end");
  });

  it("finds the scripts and files that commands name", () => {
    const commands = shellCommands(
      "git clone https://example.com/a.git && npm install # first\nNATS_URL=nats://a npm run demo:nats -- --fast\nnpm test \\\n  test/a.test.ts\nnode bin/b.ts > c.json | curl -d '{\"d\": 1}' localhost:3000/e.json",
    );
    expect(commands.flatMap(npmScriptsOf)).toEqual(["demo:nats", "test"]);
    expect(commands.flatMap(filesOf)).toEqual(["test/a.test.ts", "bin/b.ts"]);
  });
});
