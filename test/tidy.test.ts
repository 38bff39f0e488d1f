/**
 * The repository's own rules, of which CONTRIBUTING.md tells. What a linter can show while one
 * writes is in .oxlintrc.json too.
 */
import { describe, expect, it } from "@jest/globals";
import { existsSync } from "node:fs";
import { basename, join, posix } from "node:path";
import {
  ROOT,
  circlesOf,
  exportsOf,
  hasDocComment,
  identifiersOf,
  importsOf,
  loadedWith,
  memberExpressionsOf,
  packageDoors,
  readText,
  repositoryFiles,
  usesAny,
} from "./helpers/source-files.ts";
import type { Import } from "./helpers/source-files.ts";

const files = repositoryFiles();
const typescript = files.filter((path) => /\.tsx?$/.test(path));
const product = typescript.filter((path) => /^(lib|schemas|services|mixins|bin)\//.test(path));

/** Each problem of each file as a line, so that a failure shows all of them. */
function problems(paths: readonly string[], find: (path: string) => readonly string[]): string[] {
  return paths.flatMap((path) => find(path).map((problem) => `${path}: ${problem}`));
}

/** The lines of a text that match, each with its number. */
function linesWith(path: string, pattern: RegExp): string[] {
  return readText(path)
    .split("\n")
    .flatMap((line, index) => (pattern.test(line) ? [`line ${index + 1}: ${line.trim().slice(0, 120)}`] : []));
}

// From the ground up. A folder imports from itself and from the folders above it in this list, and
// from no other: so there is no circle of folders, and none of files across folders. A file that
// stands below the rest of its folder has a place of its own; `/*` is each folder in one.
const FOLDERS = [
  "lib/util",
  "schemas/statuses.ts",
  "schemas/common.schema.ts",
  "schemas/task-types",
  "schemas",
  "lib/errors",
  "schemas/actions",
  "lib/core/model",
  "lib/core/journal",
  "lib/core/execution",
  "lib/core/commands",
  "lib/core/views",
  "lib/core/explain",
  "lib/core",
  "lib/protocol",
  "lib/ports",
  "lib/config",
  "lib/definitions/expressions",
  "lib/definitions",
  "lib/task-types/*",
  "lib/task-types",
  "lib/validation",
  "lib/adapters/system",
  "lib/adapters/nats",
  "lib/adapters/moleculer",
  "lib/adapters/sqlite",
  "lib/adapters/mongodb",
  "lib/adapters",
  "lib/moleculer-db",
  "lib/worker/ledger",
  "lib/worker",
  "lib/client",
  "lib/coordinator/flow-control",
  "lib/coordinator/turn",
  "lib/coordinator/ownership",
  "lib/coordinator/commands",
  "lib/coordinator",
  "lib/coordinator/queries",
  "lib/coordinator/operations",
  "mixins",
  "services/taskflow",
  "services",
  "lib",
  ".",
  "bin",
];

describe("what may import what", () => {
  /** Packages that a part may import; any, where it is not named. */
  const PACKAGES: readonly (readonly [RegExp, RegExp])[] = [
    [/^lib\/core\//, /^$/],
    [/^lib\/(util|ports)\//, /^(node:(crypto|util)|@lukeed\/ms)$/],
    [/^lib\/(coordinator|validation|protocol)\//, /^(?!moleculer|nats$|mongodb$)/],
  ];
  /** Nothing of the coordinator knows an adapter; the engine is handed them. */
  const NEVER: readonly (readonly [RegExp, RegExp])[] = [
    [/^lib\/coordinator\//, /^lib\/(adapters|worker|client|moleculer-db)\//],
    [/^lib\/(client|worker)\//, /^lib\/(coordinator|validation)\//],
    [/^lib\/core\//, /^lib\/(errors|config|validation|protocol)\//],
  ];

  function rankOf(path: string): number {
    const folder = posix.dirname(path);
    const place = [path, folder, `${posix.dirname(folder)}/*`].find((each) => FOLDERS.includes(each));
    return place === undefined ? -1 : FOLDERS.indexOf(place);
  }

  function problemOf(path: string, { specifier, path: target }: Import): string | undefined {
    if (target === undefined) {
      const isWrong = PACKAGES.some(([files_, packages]) => files_.test(path) && !packages.test(specifier));
      return isWrong ? `must not import the package ${specifier}` : undefined;
    }
    if (target === "package.json") return undefined;
    if (rankOf(target) < 0) return `imports ${target}, which is in no known folder`;
    if (rankOf(target) > rankOf(path)) return `imports ${target}, which stands above it`;
    return NEVER.some(([files_, never]) => files_.test(path) && never.test(target)) ? `must not import ${target}` : undefined;
  }

  it("lets every folder import only from the folders below it, types included", () => {
    const homeless = product.filter((path) => rankOf(path) < 0).map((path) => `${path}: its folder is not in FOLDERS`);
    const found = problems(product, (path) => importsOf(path).flatMap((imported) => problemOf(path, imported) ?? []));
    expect([...homeless, ...found]).toEqual([]);
  });

  it("has no circle of files, type imports counted", () => {
    expect(circlesOf(product)).toEqual([]);
  });

  it("keeps the coordinator and the stores out of what workers and clients load", () => {
    const light = ["lib/worker.ts", "lib/client.ts"];
    const heavy = /^lib\/(coordinator|adapters\/(sqlite|mongodb)\/store)/;
    expect(problems(light, (path) => [...loadedWith(path)].filter((loaded) => heavy.test(loaded)))).toEqual([]);
  });
});

describe("what the documentation says of the folders", () => {
  /** The folders of the tree, each a line of two more blanks than the folder that it is in. */
  function foldersOfTree(lines: readonly string[]): string[] {
    const open: string[] = [];
    return lines.flatMap((line) => {
      const [, indent, name] = /^((?: {2})*)([a-z-]+)\/ +\S/.exec(line) ?? [];
      if (indent === undefined || name === undefined) return [];
      open.splice(indent.length / 2, Infinity, name);
      return [open.join("/")];
    });
  }

  it("has a line of docs/architecture.md for each, and no other", () => {
    const [, page = ""] = readText("docs/architecture.md").split("## The tree");
    const tree = page.split("```")[1]?.split("\n") ?? [];
    const folders = FOLDERS.filter((folder) => folder !== "." && !folder.endsWith(".ts") && !folder.endsWith("/*"));
    expect(foldersOfTree(tree).toSorted()).toEqual(folders.toSorted());
  });

  it("has them in CONTRIBUTING.md in the order of their imports", () => {
    const [, page = ""] = readText("CONTRIBUTING.md").split("## Layout");
    const [, ...folders] = page.split("```")[1]?.trim().split(/\s+/) ?? [];
    expect(folders).toEqual(FOLDERS.filter((folder) => folder !== "."));
  });
});

it("keeps the core free of clocks, randomness, timers and the process", () => {
  const impure = new Set(
    "Date performance setTimeout setInterval setImmediate queueMicrotask process crypto Buffer fetch console globalThis require".split(
      " ",
    ),
  );
  const core = product.filter((path) => path.startsWith("lib/core/"));
  const found = problems(core, (path) => [
    ...[...identifiersOf(path)].filter((name) => impure.has(name)),
    ...[...memberExpressionsOf(path)].filter((member) => member === "Math.random"),
  ]);
  expect(found).toEqual([]);
});

describe("size and names", () => {
  const lineCount = (path: string): number => readText(path).split("\n").length - 1;
  const code = files.filter((path) => /\.(tsx?|js|css|html|sh)$/.test(path));

  it("has no file of more than 400 lines", () => {
    const long = code.filter((path) => lineCount(path) > 400);
    expect(long.map((path) => `${path}: ${lineCount(path)} lines`)).toEqual([]);
  });

  it("keeps half of the product's files at 150 lines or less", () => {
    const lengths = product.map(lineCount).sort((a, b) => a - b);
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThanOrEqual(150);
  });

  it("repeats no folder's name at the beginning of a file's name", () => {
    const repeats = (path: string): boolean => {
      const folder = basename(posix.dirname(path)).replace(/s$/, "");
      return basename(path).startsWith(`${folder}-`) || basename(path).startsWith(`${folder}s-`);
    };
    expect(product.filter(repeats)).toEqual([]);
  });

  it("names files and folders in kebab-case", () => {
    const usual = new Set(["README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile"]);
    const name = /^\.?[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*$/;
    expect(files.filter((path) => !usual.has(basename(path)) && !path.split("/").every((part) => name.test(part)))).toEqual([]);
  });
});

describe("what a reader must not meet", () => {
  it("has no line of a comment over 100 columns, addresses and directives excepted", () => {
    const isLong = (line: string): boolean =>
      line.length > 100 && /^\s*(\/\/|\/?\*)/.test(line) && !/https?:\/\/|lint-dis/.test(line);
    const longLines = (path: string): string[] =>
      readText(path)
        .split("\n")
        .flatMap((line, index) => (isLong(line) ? [`line ${index + 1}`] : []));
    expect(problems(typescript, longLines)).toEqual([]);
  });

  const word = (...parts: string[]): string => parts.join("");

  it("has no `any`", () => {
    expect(typescript.filter(usesAny)).toEqual([]);
  });

  it("silences no compiler and no linter without a reason", () => {
    const compiler = new RegExp(word("@ts-", "(ignore|nocheck)"));
    const linter = new RegExp(`${word("(ox|es)lint-", "disable")}(?!.* -- \\S)`);
    const formatter = new RegExp(word("prettier-", "ignore"));
    expect(problems(typescript, (path) => [compiler, linter, formatter].flatMap((pattern) => linesWith(path, pattern)))).toEqual(
      [],
    );
  });

  it("leaves nothing marked as to be done", () => {
    const marks = new RegExp(`\\b(${word("TO", "DO")}|${word("FIX", "ME")}|${word("X", "XX")}|${word("HA", "CK")})\\b`);
    const texts = files.filter((path) => path !== "package-lock.json");
    expect(problems(texts, (path) => linesWith(path, marks))).toEqual([]);
  });

  it("focuses, skips and postpones no test", () => {
    const tests = typescript.filter((path) => path.startsWith("test/"));
    const members = /^(it|test|describe)\.(only|skip|todo|failing)$/;
    const names = /^(fit|xit|xtest|fdescribe|xdescribe)$/;
    const found = problems(tests, (path) => [
      ...[...memberExpressionsOf(path)].filter((member) => members.test(member)),
      ...[...identifiersOf(path)].filter((name) => names.test(name)),
    ]);
    expect(found).toEqual([]);
  });

  it("names no folder of somebody's machine", () => {
    const folders = ["work", "tmp", "root", "home", "Users"].join("|");
    const machinePath = new RegExp(`(?<![\\w.@*)}>-])/(${folders})/`);
    expect(problems(files, (path) => linesWith(path, machinePath))).toEqual([]);
  });

  it("names no package registry or mirror, the lockfile included", () => {
    const hosts = [
      word("registry", "\\.[a-z]+js"),
      word("npm", "mirror"),
      word("files\\.python", "hosted"),
      word('"resolv', 'ed": "http'),
    ];
    expect(problems(files, (path) => linesWith(path, new RegExp(hosts.join("|"))))).toEqual([]);
  });

  it("speaks of no document that is not here", () => {
    const mention = /(?<![\w/.@-])((?:\.{0,2}\/)?[\w./-]*[\w-]\.md)\b(?!\()/g;
    const texts = files.filter((path) => path !== "package-lock.json" && !path.startsWith("."));
    const exists = (path: string): boolean => existsSync(join(ROOT, path));
    const found = problems(texts, (path) =>
      [...readText(path).matchAll(mention)]
        .map(([, mentioned = ""]) => mentioned)
        .filter((mentioned) => ![mentioned, posix.join(posix.dirname(path), mentioned), join("docs", mentioned)].some(exists)),
    );
    expect(found).toEqual([]);
  });
});

it("explains every name that the package exports", () => {
  const doors = [...packageDoors().values()];
  expect(doors).toContain("lib/index.ts");
  const found = doors.flatMap(exportsOf).filter(({ path, localName }) => !hasDocComment(path, localName));
  expect(found.map(({ name, path }) => `${name} has no doc comment in ${path}`)).toEqual([]);
});
