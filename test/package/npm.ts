import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Runs a command in a folder and returns what it prints. Rejects, with all of it, if it fails. */
export async function execIn(folder: string, command: string, ...args: string[]): Promise<string> {
  // The tests may run under a silent npm, which hands that on.
  const env = { ...process.env, npm_config_loglevel: "notice" };
  const { stdout } = await execute(command, args, { cwd: folder, env });
  return stdout;
}

export async function npm(folder: string, ...args: string[]): Promise<string> {
  return execIn(folder, "npm", ...args);
}
