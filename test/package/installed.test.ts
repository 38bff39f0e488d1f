/**
 * The package as its users get it: packed, and installed in an empty folder beside a Moleculer of
 * their own, without the optional peers. The README's example runs there.
 */
import { beforeAll, describe, expect, it } from "@jest/globals";
import { transformSync } from "@swc/core";
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codeBlocks } from "../helpers/code-blocks.ts";
import { startProcess } from "../helpers/processes.ts";
import { ROOT, readText } from "../helpers/source-files.ts";
import { tempFolder } from "../helpers/temp.ts";
import { npm } from "./npm.ts";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
  readonly main: string;
  readonly types: string;
  readonly typesVersions: { readonly "*": Readonly<Record<string, readonly string[]>> };
}

const manifest = JSON.parse(readText("package.json")) as Manifest;
const { name: PACKAGE, version, devDependencies } = manifest;
const example = codeBlocks("README.md", readText("README.md")).find(({ marks }) => marks.includes("run"))?.code ?? "";

const tarball = join(tempFolder(), `${PACKAGE}-${version}.tgz`);
const folder = tempFolder();

beforeAll(async () => {
  await npm(ROOT, "pack", "--pack-destination", join(tarball, ".."));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const beside = ["moleculer", "typescript", "@types/node"].map((name) => `${name}@${devDependencies[name]}`);
  await npm(folder, "install", "--prefer-offline", tarball, ...beside);
}, 240_000);

/** Runs a program beside the installed package, and returns what it printed. */
async function run(file: string, code: string): Promise<string> {
  writeFileSync(join(folder, file), code);
  const child = startProcess(join(folder, file), { cwd: folder });
  const { code: status } = await child.exited;
  expect({ status, stderr: child.stderr }).toEqual({ status: 0, stderr: "" });
  return child.stdout;
}

/** What the compiler finds in a file, as one text a problem. */
function problemsOf(file: string, code: string, ...options: string[]): string[] {
  writeFileSync(join(folder, file), code);
  const compiler = join(folder, "node_modules/typescript/bin/tsc");
  const settings = ["--ignoreConfig", "--noEmit", "--strict", "--module", "NodeNext", "--target", "ES2024", "--types", "node"];
  const args = [compiler, ...settings, ...options, "--pretty", "false", file];
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  return stdout.split(/\n(?! )/).filter((problem) => problem !== "");
}

function toJavaScript(typescript: string): string {
  return transformSync(typescript, { jsc: { parser: { syntax: "typescript" }, target: "es2024" }, module: { type: "es6" } }).code;
}

/** The same program for a file that has `require`, and no `await` at its top. */
function toCommonJs(javascript: string): string {
  const required = javascript.replaceAll(/^import (\{.*?\}) from (".*?");$/gm, "const $1 = require($2);");
  return `(async () => {\n${required}\n})();\n`;
}

describe("the tarball", () => {
  it("brings declarations and documentation, and neither sources nor tests", () => {
    const { stdout } = spawnSync("tar", ["-tzf", tarball], { encoding: "utf8" });
    const files = stdout
      .trim()
      .split("\n")
      .map((path) => path.replace(/^package\//, ""));
    const expected = ["dist/lib/index.js", "dist/lib/index.d.ts", "docs/delivery.md", "README.md", "LICENSE", "CHANGELOG.md"];
    expect(files).toEqual(expect.arrayContaining(expected));
    const isProduct = /^dist\/(lib|services|mixins|schemas|bin)\/.*(\.js|\.d\.ts)$|^dist\/moleculer\.config(\.js|\.d\.ts)$/;
    const isText = /^(docs\/.*\.md|README\.md|CHANGELOG\.md|LICENSE|package\.json)$/;
    expect(files.filter((path) => !isProduct.test(path) && !isText.test(path))).toEqual([]);
  });

  it("installs no optional peer", () => {
    const peers = ["moleculer", "moleculer-db", "mongodb", "nats"];
    expect(peers.filter((name) => existsSync(join(folder, "node_modules", name)))).toEqual(["moleculer"]);
  });

  it("uses the Moleculer of its user", async () => {
    const code = `
      import { createRequire } from "node:module";
      import { Errors } from "moleculer";
      import { PermanentError } from "${PACKAGE}";
      const required = createRequire(import.meta.url)("moleculer");
      const error = new PermanentError("no");
      console.log(error instanceof Errors.MoleculerError, error instanceof required.Errors.MoleculerError);`;
    expect(await run("same-moleculer.js", code)).toBe("true true\n");
  });
});

describe("the doors", () => {
  const namesOf = (text: string): string[] => text.trim().split(",");

  it("give each user their own part, by import and by require", async () => {
    const client = ["NatsTransporter", "TaskflowClient", "defineTaskflow", "getEventsEndpoint", "isTaskflowError"];
    const worker = ["ExpectedError", "NatsTransporter", "PermanentError", "TaskflowWorker", "isTaskflowError"];
    const doors = { client, worker, "moleculer-db": ["TaskflowAdapter", "TaskflowDb"] };
    for (const [door, expected] of Object.entries(doors)) {
      const imported = `import * as door from "${PACKAGE}/${door}"; console.log(Object.keys(door).sort().join());`;
      expect(namesOf(await run(`${door}.js`, imported))).toEqual(expected);
      const required = `const { ...door } = require("${PACKAGE}/${door}"); console.log(Object.keys(door).sort().join());`;
      expect(namesOf(await run(`${door}.cjs`, required))).toEqual(expected);
    }
  });

  it("are named for compilers that do not read exports, too", () => {
    const { exports, main, types, typesVersions } = manifest;
    expect({ default: main, types }).toEqual(exports["."]);
    const named = Object.entries(typesVersions["*"]).map(([door, [file]]) => [`./${door}`, file]);
    const declared = Object.entries(exports).map(([door, target]) => [door, typeof target === "object" ? target.types : ""]);
    expect(named).toEqual(declared.filter(([door]) => door !== "." && door !== "./package.json"));
  });

  it("are one library: what one throws, another knows", async () => {
    const code = `
      import { PermanentError } from "${PACKAGE}";
      import * as client from "${PACKAGE}/client";
      import * as worker from "${PACKAGE}/worker";
      console.log(worker.PermanentError === PermanentError, client.isTaskflowError(new worker.PermanentError("no")));`;
    expect(await run("one-library.js", code)).toBe("true true\n");
  });
});

describe("the README's example", () => {
  const ends = /\nCOMPLETED 100\n$/;

  it("runs as JavaScript with import", async () => {
    expect(await run("example.js", toJavaScript(example))).toMatch(ends);
  });

  it("runs as JavaScript with require", async () => {
    const code = toCommonJs(toJavaScript(example));
    expect(code).toContain(`require("${PACKAGE}")`);
    expect(await run("example.cjs", code)).toMatch(ends);
  });

  it("passes the type check, and runs as TypeScript", async () => {
    // Moleculer's own declarations name packages that are not there.
    expect(problemsOf("example.ts", example, "--skipLibCheck")).toEqual([]);
    expect(await run("example.ts", example)).toMatch(ends);
  });
});

describe("a task type of a user's own", () => {
  const code =
    codeBlocks("docs/task-types.md", readText("docs/task-types.md")).find(({ marks }) => marks.includes("run"))?.code ?? "";

  it("adds its details to those that definitions take, and runs", async () => {
    expect(code).toContain(`declare module "${PACKAGE}"`);
    expect(problemsOf("own-type.ts", code, "--skipLibCheck")).toEqual([]);
    expect(await run("own-type.ts", code)).toMatch(/^COMPLETED /);
  });
});

describe("the declarations", () => {
  const code = `
    import { ServiceBroker } from "moleculer";
    import { TaskflowClient, TaskflowService } from "${PACKAGE}";
    import { TaskflowClient as OtherClient } from "${PACKAGE}/client";
    import { TaskflowWorker } from "${PACKAGE}/worker";
    const broker = new ServiceBroker();
    broker.createService(TaskflowService({ store: "memory:" }));
    // @ts-expect-error a store is named by a text
    broker.createService(TaskflowService({ store: 1 }));
    // @ts-expect-error a client needs the broker
    export const client = new TaskflowClient();
    export const same: OtherClient = new TaskflowClient(broker);
    // @ts-expect-error a ledger is named by a text
    broker.createService({ name: "worker", mixins: [TaskflowWorker({ ledger: 1 })] });`;

  it("refuse what is wrong, for files with import and with require", () => {
    expect(problemsOf("types.ts", code, "--skipLibCheck")).toEqual([]);
    expect(problemsOf("types.cts", code, "--skipLibCheck")).toEqual([]);
  });

  it("are sound in themselves, and miss only the optional peers", () => {
    const ours = problemsOf("types.ts", code).filter((problem) => problem.startsWith(`node_modules/${PACKAGE}/`));
    expect(ours.filter((problem) => !/ error TS2307: Cannot find module '(nats|mongodb|moleculer-db)' /.test(problem))).toEqual(
      [],
    );
  });
});

it("names the line that installs an optional peer where one is needed", async () => {
  const code = `
    import { ServiceBroker } from "moleculer";
    import { NatsTransporter, TaskflowService, TaskflowWorker } from "${PACKAGE}";
    import { TaskflowAdapter, TaskflowDb } from "${PACKAGE}/moleculer-db";
    const url = "mongodb://ada:secret@database/flows";
    const broker = new ServiceBroker({ logger: false });
    const tell = (error) => console.log(error.message);
    try { new NatsTransporter("nats://bus"); } catch (error) { tell(error); }
    try { broker.createService(TaskflowService({ store: url })); } catch (error) { tell(error); }
    broker.createService({ name: "worker", mixins: [TaskflowWorker({ ledger: url })] });
    await broker.start().catch(tell);
    await broker.stop();
    try { TaskflowDb({ store: "sqlite:flows.db" }); } catch (error) { tell(error); }
    try { new TaskflowAdapter({ store: url }); } catch (error) { tell(error); }`;
  expect((await run("missing.js", code)).trim().split("\n")).toEqual([
    "NatsTransporter needs the package nats: npm install nats@2",
    'The store "mongodb://database/flows" needs the package mongodb: npm install mongodb@7',
    'The ledger "mongodb://database/flows" needs the package mongodb: npm install mongodb@7',
    "TaskflowDb needs the package moleculer-db: npm install moleculer-db@0.9",
    'The store "mongodb://database/flows" needs the package mongodb: npm install mongodb@7',
  ]);
});

describe("beside moleculer-db", () => {
  const page = codeBlocks("docs/moleculer-db.md", readText("docs/moleculer-db.md"));
  const code = page.find(({ marks }) => marks.includes("run"))?.code ?? "";

  beforeAll(() => npm(folder, "install", "--prefer-offline", `moleculer-db@${devDependencies["moleculer-db"]}`), 240_000);

  it("runs the example of its page as JavaScript with import, with require, and as TypeScript", async () => {
    const expected = "1 order\n";
    expect(await run("db.js", toJavaScript(code))).toBe(expected);
    expect(await run("db.cjs", toCommonJs(toJavaScript(code)))).toBe(expected);
    expect(problemsOf("db.ts", code, "--skipLibCheck")).toEqual([]);
    expect(await run("db.ts", code)).toBe(expected);
  });

  it("has declarations that fit those of moleculer-db", () => {
    const typed = `
      import type { DbAdapter } from "moleculer-db";
      import { TaskflowAdapter, TaskflowDb, type TaskflowDocument } from "${PACKAGE}/moleculer-db";
      export const adapter: DbAdapter = new TaskflowAdapter({ store: "sqlite:flows.db" });
      export const found: Promise<TaskflowDocument[]> = new TaskflowAdapter().find({ query: { status: "FAILED" } });
      // @ts-expect-error a store is named by a text
      TaskflowDb({ store: 1 });
      // @ts-expect-error there is no such option
      new TaskflowAdapter({ stoer: "sqlite:flows.db" });`;
    expect(problemsOf("db-types.ts", typed, "--skipLibCheck")).toEqual([]);
    expect(problemsOf("db-types.cts", typed, "--skipLibCheck")).toEqual([]);
  });
});
