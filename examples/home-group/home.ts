/**
 * The house: who was asked what, and what came of it. It is what the taskflow changes, and knows
 * nothing of taskflows.
 *
 * In memory, or in a file of one JSON line a call, as a real house does not forget when a process
 * dies. Several processes may share the file.
 */
import { appendFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";

export interface Line {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly call: "createGroup" | "AddApplianceToGroup";
  readonly phase: "asked" | "done" | "failed";
  readonly groupId: string;
  readonly applianceId?: string;
}

export class Home {
  readonly #file: string | undefined;
  readonly #memory: Line[] = [];

  constructor(file?: string) {
    this.#file = file;
    if (file !== undefined) mkdirSync(dirname(file), { recursive: true });
  }

  write(line: Omit<Line, "at">): void {
    const dated = { at: Date.now(), ...line };
    if (this.#file === undefined) this.#memory.push(dated);
    else appendFileSync(this.#file, `${JSON.stringify(dated)}\n`);
  }

  lines(): readonly Line[] {
    if (this.#file === undefined) return this.#memory;
    try {
      return readFileSync(this.#file, "utf8")
        .trim()
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Line);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  /** How often something has happened to a group, or to one of its appliances. */
  count(wanted: Omit<Line, "at">): number {
    const { call, phase, groupId, applianceId } = wanted;
    return this.lines().filter(
      (line) =>
        line.call === call &&
        line.phase === phase &&
        line.groupId === groupId &&
        (applianceId === undefined || line.applianceId === applianceId),
    ).length;
  }

  forget(): void {
    this.#memory.length = 0;
    if (this.#file !== undefined) rmSync(this.#file, { force: true });
  }
}

/** The house of this process: `HOME_FILE` names its file. */
let house: Home | undefined;
export const home = (): Home => (house ??= new Home(process.env.HOME_FILE));
