/** The processes of `demo:nats`: none of them outlives this one. */
import { type ChildProcess, spawn } from "node:child_process";

const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

export interface Started {
  readonly pid: number;
  /** Ends it and waits for the end. Idempotent. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

/**
 * Runs a `.ts` file on this Node.
 * @param died is told, with what it wrote to stderr, if it ends without `end`
 */
export function start(file: string, args: readonly string[], env: NodeJS.ProcessEnv, died: (why: Error) => void): Started {
  const child = spawn(process.execPath, [file, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
    // CTRL-C is for this process, which ends the others.
    detached: true,
  });
  children.add(child);
  let errors = "";
  let isWanted = false;
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  child.on("error", died);
  const ended = new Promise<void>((resolve) => {
    child.once("close", (code, signal) => {
      children.delete(child);
      if (!isWanted) died(new Error(`${[file, ...args].join(" ")} ended (code ${code}, signal ${signal}).\n${errors}`));
      resolve();
    });
  });
  return {
    pid: child.pid ?? 0,
    async end(signal = "SIGTERM") {
      isWanted = true;
      child.kill(signal);
      await ended;
    },
  };
}
