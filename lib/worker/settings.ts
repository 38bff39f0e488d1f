/** The options of `TaskflowWorker`: declared here and nowhere else. */
import { duration, integer, type Kind } from "../util/kind.ts";
import { type GivenOf, setting } from "../util/setting.ts";
import type { Ledger } from "./ledger/ledger.ts";

const LEDGER_URL = /^(memory$|sqlite:.|mongodb(\+srv)?:\/\/.)/;

const ledger: Kind<string | Ledger> = {
  expects: "memory, sqlite:<file>, a mongodb:// or mongodb+srv:// URL, or a ledger",
  schema: { type: "string" },
  read: (given) => (isLedger(given) || (typeof given === "string" && LEDGER_URL.test(given)) ? given : undefined),
};

function isLedger(given: unknown): given is Ledger {
  if (typeof given !== "object" || given === null) return false;
  const methods = ["open", "close", "begin", "finish", "ask"] as const;
  return methods.every((method) => typeof (given as Partial<Ledger>)[method] === "function");
}

export const WORKER_SETTINGS = {
  ledger: setting(ledger, {
    default: "memory",
    description:
      "Where attempts and their outcomes are remembered: `memory` (ends with the process), `sqlite:<file>` (one process; survives its crash), a `mongodb://` URL (shared by all nodes of the service), or a ledger of your own. All nodes of a service use the same kind",
  }),
  keepFor: setting(duration(1), { default: "24h", description: "How long an outcome is remembered" }),
  ledgerLimit: setting(integer(1), {
    default: 100_000,
    description: "Outcomes remembered at most, beside what runs; the oldest go. Not of a MongoDB ledger",
  }),
};

/** Options of the worker mixin. */
export type TaskflowWorkerOptions = GivenOf<typeof WORKER_SETTINGS>;
