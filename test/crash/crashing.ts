/**
 * Wraps a port from outside, so that what it does can be cut off: the product knows nothing of
 * it.
 */
import { isFinished } from "../../lib/core/model/flow.ts";
import { decodeEntry } from "../../lib/core/journal/journal.ts";
import type { Write } from "../../lib/ports/store.ts";
import { answerOf, commitOf, type CrashPoint, type Happening } from "./points.ts";

export type Reach = (point: CrashPoint) => void;

type Method = (this: unknown, ...given: unknown[]) => unknown;

/**
 * Replaces the verbs of a port, in place.
 * @param port its object, or the prototype of its class
 * @param reach called with the name of each point that is reached
 */
export function crashing(port: object, name: string, verbs: Readonly<Record<string, string>>, reach: Reach): void {
  for (const [verb, kind] of Object.entries(verbs)) {
    if (kind === "looks") continue;
    const own = Reflect.get(port, verb) as Method | undefined;
    if (own === undefined) throw new Error(`The port ${name} has no verb ${verb}.`);
    const full = `${name}.${verb}`;
    const wrapped: Method = function (...given) {
      const happenings = kind === "commits" ? factsOf(given[0] as readonly Write[]).map((fact) => commitOf(full, fact)) : [full];
      const taken =
        kind === "hears"
          ? given.map((each) => (typeof each === "function" ? hearing(full, each as Method, reach) : each))
          : given;
      return around(happenings, () => own.apply(this, taken), reach);
    };
    Reflect.set(port, verb, wrapped);
  }
}

function hearing(name: string, heard: Method, reach: Reach): Method {
  return (...given) => around([answerOf(name)], () => heard(...given), reach);
}

function around(happenings: readonly Happening[], act: () => unknown, reach: Reach): unknown {
  for (const happening of happenings) reach(`before ${happening}`);
  const done = (result: unknown): unknown => {
    for (const happening of happenings) reach(`after ${happening}`);
    return result;
  };
  const result = act();
  return result instanceof Promise ? result.then(done) : done(result);
}

function factsOf(writes: readonly Write[]): string[] {
  const facts = writes.flatMap(({ entry }) => decodeEntry(entry).facts);
  return [...new Set(facts.map((fact) => (fact.kind === "flow" && isFinished(fact.status) ? "end" : fact.kind)))];
}
