import { describe, expect, it } from "@jest/globals";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { killLeftProcesses, startProcess, startReadyProcess } from "./processes.ts";
import { tempFolder } from "./temp.ts";
import { uniqueName } from "./unique.ts";

function program(source: string): string {
  const file = join(tempFolder(), "program.ts");
  writeFileSync(file, source);
  return file;
}

const SAY_READY = `console.log("starting"); console.log(JSON.stringify({ ready: true, port: Number(process.env.PORT) }));`;
const RUN_ON = `setInterval(() => undefined, 1_000);`;

describe("startReadyProcess", () => {
  it("runs TypeScript on the Node of the tests, with the environment given, until its ready line", async () => {
    const { child, ready } = await startReadyProcess(
      program(`const port: string = "typed"; console.log(port, process.version); ${SAY_READY} ${RUN_ON}`),
      { env: { PORT: "4321" } },
    );
    expect(ready).toEqual({ ready: true, port: 4321 });
    expect(child.stdout).toContain(`typed ${process.version}`);
    expect(await child.end("SIGKILL")).toEqual({ code: null, signal: "SIGKILL" });
  });

  it("rejects with what the process printed if it ends before it is ready", async () => {
    const broken = startReadyProcess(program(`console.error("no such port"); process.exit(3);`));
    await expect(broken).rejects.toThrow(/ended before it was ready \(code 3, signal null\)[^]*no such port/);
  });

  it("rejects if the ready line does not come in time, and ends the process", async () => {
    const silent = startReadyProcess(program(`console.log("thinking"); ${RUN_ON}`), { readyTimeoutMs: 400 });
    await expect(silent).rejects.toThrow(/no ready line within 400 ms/);
    expect(await killLeftProcesses()).toEqual([]);
  });
});

describe("startProcess", () => {
  it("tells how a process ended, with all that it printed", async () => {
    const child = startProcess(program(`console.log("out"); console.error("err"); process.exitCode = 7;`), { args: ["one"] });
    expect(await child.exited).toEqual({ code: 7, signal: null });
    expect([child.stdout, child.stderr]).toEqual(["out\n", "err\n"]);
  });

  it("kills what a test left, stopped ones too, and names it", async () => {
    const { child } = await startReadyProcess(program(`${SAY_READY} ${RUN_ON}`));
    child.kill("SIGSTOP");
    expect(await killLeftProcesses()).toEqual([`${child.file} (pid ${child.pid})`]);
    expect(child.exit).toEqual({ code: null, signal: "SIGKILL" });
  });
});

describe("eventually", () => {
  it("answers what the assertion returned once it passes", async () => {
    let tries = 0;
    const value = await eventually(() => {
      tries += 1;
      expect(tries).toBeGreaterThanOrEqual(3);
      return "done";
    });
    expect([value, tries]).toEqual(["done", 3]);
  });

  it("throws the assertion's last error after the time is up", async () => {
    const never = eventually(() => Promise.reject(new Error("not yet")), { timeoutMs: 50 });
    await expect(never).rejects.toThrow("Still so after 50 ms: not yet");
  });
});

describe("tempFolder and uniqueName", () => {
  it("never give the same twice", () => {
    const folders = [tempFolder(), tempFolder()];
    expect(new Set(folders).size).toBe(2);
    expect(folders.every((folder) => existsSync(folder))).toBe(true);
    expect(uniqueName()).not.toBe(uniqueName());
  });
});
