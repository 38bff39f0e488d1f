/**
 * The thread of the sandbox. JSONata's own limits end what loops or recurses; the sandbox ends the
 * thread if they do not.
 */
import { parentPort } from "node:worker_threads";
import jsonata from "jsonata";
import { Re2RegExp } from "../../definitions/expressions/regex.ts";
import type { Evaluation } from "../../ports/sandbox.ts";
import { SOFT_LIMIT_MS, type SandboxRequest } from "./sandbox-request.ts";

/** Calls within calls, and elements of a sequence. */
const LIMITS = { timeout: SOFT_LIMIT_MS, stack: 500, sequence: 1_000_000 };

async function evaluate(source: string, scope: unknown): Promise<Evaluation> {
  try {
    const engine = Re2RegExp as unknown as RegExpConstructor;
    const value: unknown = await jsonata(source, { ...LIMITS, RegexEngine: engine }).evaluate(scope);
    // Functions and the like are not values; anything that JSON omits is absent.
    const text = JSON.stringify(value) as string | undefined;
    return text === undefined ? {} : { value: JSON.parse(text) as unknown };
  } catch (error) {
    const { message } = error as { message?: unknown };
    return { problem: typeof message === "string" ? message.replace(/\.$/, "") : "it failed" };
  }
}

parentPort?.on("message", ({ sources, scope }: SandboxRequest) => {
  const input: unknown = JSON.parse(scope);
  void (async () => {
    const evaluations: Evaluation[] = [];
    for (const source of sources) evaluations.push(await evaluate(source, input));
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    parentPort?.postMessage(evaluations);
  })();
});
