/** Opens a MongoDB store, for its coordinators and for readers. */
import { isTaskflowError } from "../../errors/errors.ts";
import { formatProblem } from "../../ports/store-format.ts";
import type { MongoLink } from "./client.ts";
import { explainOpening } from "./error.ts";
import { META } from "./schema.ts";

export interface MetaDocument {
  _id: string;
  format: number;
}

/** Why a reachable store is not opened, as a sentence for people. */
export class StoreRefused extends Error {}

/**
 * Connects, refuses what another version has stored, and then runs `prepare`. `isNew`: no
 * coordinator has opened this store before. Closes the link if it fails.
 */
export async function openStore(link: MongoLink, prepare: (isNew: boolean) => Promise<void>): Promise<void> {
  try {
    await link.connect();
    const stored = await link.once(() => link.collection<MetaDocument>(META).findOne({ _id: "store" }));
    const problem = stored === null ? undefined : formatProblem(link.name, stored.format);
    if (problem !== undefined) throw new StoreRefused(problem);
    await prepare(stored === null);
  } catch (error) {
    await link.close();
    throw error instanceof StoreRefused ? error : explainOpening(causeOf(error), link.name);
  }
}

/** The driver's error inside one of ours, where there is one. */
function causeOf(error: unknown): unknown {
  return error instanceof Error && isTaskflowError(error, "STORE_UNAVAILABLE") ? ((error as Error).cause ?? error) : error;
}
