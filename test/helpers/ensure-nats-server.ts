/**
 * Finds the `nats-server` that the tests start, and installs it where it is missing and can be
 * installed without asking: with apt-get, as root or through a sudo that asks for no password.
 * Run by `npm test`; suites call `findNatsServer`.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

const HOW_TO_INSTALL = `nats-server is needed by the tests, and is not on this machine. Install it in one of these ways, then run the tests again:
  Debian, Ubuntu:   sudo apt-get install nats-server
  macOS:            brew install nats-server
  anything else:    a binary from the nats-io/nats-server releases on GitHub, somewhere in PATH
or name the binary in the environment: NATS_SERVER=/path/to/nats-server npm test`;

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * The path of a nats-server: `NATS_SERVER`, else the first in PATH, else where Debian puts it.
 * Throws if `NATS_SERVER` names none.
 */
export function findNatsServer(): string | undefined {
  const named = process.env.NATS_SERVER;
  if (named) {
    if (isExecutable(named)) return named;
    throw new Error(`NATS_SERVER names "${named}", which is not an executable file. Correct it, or unset it.`);
  }
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...folders, "/usr/sbin", "/usr/local/bin"].map((folder) => join(folder, "nats-server")).find(isExecutable);
}

function run(command: readonly string[]): boolean {
  const [program = "", ...args] = command;
  return spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] }).status === 0;
}

function works(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}

function installWithApt(): void {
  if (!works("apt-get", "--version")) return;
  const asRoot = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
  if (asRoot.length > 0 && !works("sudo", "-n", "true")) return;
  const aptGet = [...asRoot, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120"];
  const install = [...aptGet, "install", "-y", "--no-install-recommends", "nats-server"];
  console.log("nats-server is missing: installing it with apt-get");
  if (!run(install) && run([...aptGet, "update"])) run(install);
}

function ensureNatsServer(): string | undefined {
  const found = findNatsServer();
  if (found !== undefined) return found;
  installWithApt();
  return findNatsServer();
}

if (process.argv[1] === import.meta.filename) {
  try {
    const path = ensureNatsServer();
    if (path === undefined) throw new Error(HOW_TO_INSTALL);
    const version = spawnSync(path, ["--version"], { encoding: "utf8" });
    console.log(`NATS: ${path} (${version.stdout.trim() || "version unknown"})`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
