/**
 * Pause rules in a MongoDB store: one document each, so that any number of coordinators may change
 * them.
 */
import type { Collection } from "mongodb";
import type { PauseRule } from "../../ports/store.ts";
import type { MongoLink } from "./client.ts";
import { PAUSE_RULES } from "./schema.ts";
import { decodeText, encodeText } from "./text-codec.ts";

/** `_id`: pattern and coordinator. */
interface RuleDocument extends PauseRule {
  readonly _id: string;
}

export class MongoPauses {
  readonly #link: MongoLink;

  constructor(link: MongoLink) {
    this.#link = link;
  }

  async all(): Promise<PauseRule[]> {
    const found = await this.#link.once(() => this.#rules.find({}).sort({ since: 1, _id: 1 }).toArray());
    return found.map(({ _id: _, reason, ...rule }) => ({ ...rule, reason: reason === null ? null : decodeText(reason) }));
  }

  async add({ pattern, reason, since, coordinator }: PauseRule): Promise<void> {
    const rule = { pattern, reason: reason === null ? null : encodeText(reason), since, coordinator };
    const _id = JSON.stringify([pattern, coordinator]);
    await this.#link.persist(() => this.#rules.replaceOne({ _id }, rule, { upsert: true }));
  }

  async remove(pattern: string, coordinator: string | undefined): Promise<number> {
    const filter = { pattern, ...(coordinator === undefined ? {} : { coordinator }) };
    let removed = 0;
    // A try whose answer was lost has removed rules that the next try does not find, so the rules
    // are counted before.
    await this.#link.persist(async () => {
      removed = Math.max(removed, await this.#rules.countDocuments(filter));
      await this.#rules.deleteMany(filter);
    });
    return removed;
  }

  get #rules(): Collection<RuleDocument> {
    return this.#link.collection<RuleDocument>(PAUSE_RULES);
  }
}
