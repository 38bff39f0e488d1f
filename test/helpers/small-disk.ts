/** A disk that becomes full when a test wants it to. */
import { jest } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { tempFolder } from "./temp.ts";

export interface SmallDisk {
  readonly kind: string;
  readonly folder: string;
  /** Leaves a little room, and `fillUp` none. */
  fill(): void;
  fillUp(): void;
  makeRoom(): void;
  remove(): void;
}

/**
 * A file system in memory of 4 MiB where the tests may mount one, else a database that may not
 * grow.
 */
export function smallDisk(): SmallDisk {
  const folder = tempFolder();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], { stdio: "ignore" });
  } catch {
    const opened = jest.spyOn(DatabaseSync.prototype, "exec");
    const limit = (pages: number): void => {
      const databases = new Set(opened.mock.contexts as DatabaseSync[]);
      for (const database of databases) if (database.isOpen) database.exec(`PRAGMA max_page_count = ${pages}`);
    };
    return {
      kind: "PRAGMA max_page_count",
      folder,
      fill: () => limit(500),
      fillUp: () => limit(1),
      makeRoom: () => limit(1_000_000),
      remove: () => opened.mockRestore(),
    };
  }
  return {
    kind: "a tmpfs of 4 MiB",
    folder,
    fill() {
      writeFileSync(join(folder, "ballast"), Buffer.alloc(1024 * 1024));
    },
    fillUp() {
      for (let left = 4 * 1024; left > 0; left--) {
        try {
          appendFileSync(join(folder, "ballast"), Buffer.alloc(1024));
        } catch {
          return;
        }
      }
    },
    makeRoom() {
      rmSync(join(folder, "ballast"));
    },
    remove: () => execFileSync("umount", [folder]),
  };
}
