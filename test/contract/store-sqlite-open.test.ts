/**
 * The guard of a SQLite file against a second process, and errors of opening that say what to do.
 */
import { describe, expect, it } from "@jest/globals";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { startReadyProcess } from "../helpers/processes.ts";
import { tempFolder } from "../helpers/temp.ts";
import { newFile, openStore } from "./open-store.ts";
import { create } from "./store-writes.ts";

const WRITER = join(import.meta.dirname, "sqlite-writer.ts");

describe("one process at a time", () => {
  it("refuses a file that another process holds, and opens it once that was killed", async () => {
    const file = newFile();
    const { child } = await startReadyProcess(WRITER, { args: [file, "hold"] });
    await expect(openStore(file)).rejects.toThrow(
      `The store ${file} is held by another process: a SQLite file serves one coordinator at a time.`,
    );
    await child.end("SIGKILL");
    const store = await openStore(file);
    expect(store.commit([create("f")])).toEqual(["stored"]);
  });

  it("refuses a file that this process holds already, by another link too", async () => {
    const file = newFile();
    await openStore(file);
    await expect(openStore(file)).rejects.toThrow("is held by another process");
    const link = join(tempFolder(), "link.db");
    symlinkSync(file, link);
    await expect(openStore(link)).rejects.toThrow("is held by another process");
  });

  it("lets go of the file when it is closed, and cannot be kept out by a lock file that was left", async () => {
    const file = newFile();
    const store = await openStore(file);
    await store.close();
    expect(existsSync(`${file}.lock`)).toBe(true);
    await openStore(file);
  });
});

describe("what it cannot open", () => {
  it.each([
    [5, "use the version that wrote it, or a newer one."],
    [3, "delete it, or set another one in TASKFLOW_STORE."],
  ])("refuses a file of format %s and leaves it as it is", async (format, advice) => {
    const file = newFile();
    await (await openStore(file)).close();
    inFile(file, `PRAGMA user_version = ${format}`);
    const before = readFileSync(file);
    await expect(openStore(file)).rejects.toThrow(
      new RegExp(`^The store ${file} must have format 4, got ${format} .*: ${advice}$`),
    );
    expect(readFileSync(file).equals(before)).toBe(true);
    inFile(file, "PRAGMA user_version = 4");
    await openStore(file);
  });

  it("refuses a database of somebody else and leaves it as it is", async () => {
    const file = newFile();
    inFile(file, "CREATE TABLE theirs (x)");
    const before = readFileSync(file);
    await expect(openStore(file)).rejects.toThrow("is a SQLite database, but not one of moleculer-taskflow");
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it("refuses a file that is no database", async () => {
    const file = newFile();
    writeFileSync(file, "This is the diary of somebody, and no database at all.\n".repeat(100));
    await expect(openStore(file)).rejects.toThrow(
      `${file} is not a SQLite database: move it away, or set another file in TASKFLOW_STORE.`,
    );
  });

  it("says which folder cannot be made", async () => {
    const folder = join(tempFolder(), "data");
    writeFileSync(folder, "a file");
    await expect(openStore(join(folder, "taskflow.db"))).rejects.toThrow(`The store cannot use the folder ${folder}`);
  });

  it("says that a folder stands where the file should be", async () => {
    const file = newFile();
    mkdirSync(file);
    await expect(openStore(file)).rejects.toThrow(`The store ${file} cannot be opened`);
  });

  it("says which file or folder this user may not write", async () => {
    const file = newFile();
    await (await openStore(file)).close();
    chmodSync(file, 0o444);
    chmodSync(dirname(file), 0o777);
    chmodSync(`${file}.lock`, 0o666);
    await asNobody(async () => {
      await expect(openStore(file)).rejects.toThrow(`The store ${file} cannot be opened: let this user read and write it`);
    });
    rmSync(`${file}.lock`);
    chmodSync(dirname(file), 0o555);
    await asNobody(async () => {
      await expect(openStore(file)).rejects.toThrow(`The store cannot lock ${file}.lock`);
    });
    chmodSync(dirname(file), 0o755);
    chmodSync(file, 0o644);
    await openStore(file);
  });

  it("says that a damaged file is damaged, and lets go of it", async () => {
    const file = newFile();
    const store = await openStore(file);
    store.commit([create("f")]);
    await store.close();
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0xff, 100, 4_096));
    await expect(openStore(file)).rejects.toThrow(/is damaged|is not a SQLite database/);
    rmSync(file);
    await openStore(file);
  });
});

function inFile(file: string, sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

/** As a user without special rights. Who runs the tests without them does it as himself. */
async function asNobody(work: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid!(65_534);
  try {
    await work();
  } finally {
    process.seteuid!(0);
  }
}
