/**
 * Portable copies of taskflows: exports leave the original as it is, imports make a taskflow of
 * their own.
 */
import { copyJournal, JournalError } from "../../core/commands/import.ts";
import type { Entry } from "../../core/journal/facts.ts";
import type { TaskflowStatus } from "../../core/model/values.ts";
import { idBaseOf } from "../../core/model/ids.ts";
import { encodeEntry } from "../../core/journal/journal.ts";
import { taskflowError, taskflowNotFound } from "../../errors/errors.ts";
import { chunkAt } from "../../protocol/chunks.ts";
import { validationError } from "../../validation/index.ts";
import type { RawTaskflow } from "../../ports/store.ts";
import type { Coordinator } from "../coordinator.ts";
import type { Ports } from "../turn/ports.ts";
import type { Reader } from "../queries/queries.ts";
import { newRow } from "../turn/projection.ts";
import { type CoordinatorSettings, FORMAT } from "../turn/settings.ts";

/** The whole; or a part of its JSON text, where that does not fit into one message. */
export type Exported =
  | {
      readonly format: number;
      readonly taskflowId: string;
      readonly revision: number;
      readonly exportedAt: number;
      readonly entries: unknown[];
    }
  | {
      readonly format: number;
      readonly taskflowId: string;
      readonly revision: number;
      readonly chunk: string;
      readonly nextCursor?: string;
    };

export interface Imported {
  readonly taskflowId: string;
  readonly status: TaskflowStatus;
  readonly existing?: true;
}

/** What the parts of an export have in common: the journal may grow between two of them. */
interface Place {
  readonly offset: number;
  readonly entries: number;
  /** Entries that a snapshot stands for, less its own. */
  readonly begins: number;
  readonly exportedAt: number;
  /** Tells a taskflow from another one of the same id. */
  readonly idBase: string;
  /** Entries are exported as texts, since one of them is no JSON. */
  readonly isRaw: boolean;
}

export class Transfer {
  readonly #coordinator: Coordinator;
  readonly #ports: Pick<Ports, "store" | "clock" | "ids">;
  readonly #settings: CoordinatorSettings;

  constructor(coordinator: Coordinator, ports: Pick<Ports, "store" | "clock" | "ids">, settings: CoordinatorSettings) {
    this.#coordinator = coordinator;
    this.#ports = ports;
    this.#settings = settings;
  }

  /** @throws TASKFLOW_NOT_FOUND, RangeError for a bad cursor */
  async export({ maxBytes }: Reader, taskflowId: string, cursor?: string): Promise<Exported> {
    const stored = await this.#ports.store.readRaw(taskflowId);
    if (!stored) throw taskflowNotFound(taskflowId);
    const idBase = idBaseIn(stored);
    const place = cursor === undefined ? undefined : readCursor(cursor);
    const texts = place?.isRaw === true || (!place && !isJson(stored)) ? asTexts(stored) : (stored.entries as string[]);
    const isRaw = texts !== stored.entries;
    // Compacted between two parts, it has other entries: the caller begins anew.
    const begins = stored.revision - stored.entries.length;
    if (place && (place.idBase !== idBase || place.begins !== begins || place.entries > stored.entries.length)) {
      throw notAPlace(cursor);
    }
    const {
      offset,
      entries: revision,
      exportedAt,
    } = place ?? {
      offset: 0,
      entries: stored.entries.length,
      exportedAt: this.#ports.clock.now(),
    };
    const head = { format: stored.row.format, taskflowId, revision };
    const pieces = [
      `${JSON.stringify({ ...head, exportedAt }).slice(0, -1)},"entries":[`,
      ...texts.slice(0, revision).map((entry, index) => (index === 0 ? entry : `,${entry}`)),
      "]}",
    ];
    if (!place && surelyFits(pieces, maxBytes)) return JSON.parse(pieces.join("")) as Exported;
    const { chunk, nextOffset } = chunkAt(pieces, offset, maxBytes);
    if (nextOffset === undefined) return { ...head, chunk };
    const next = { offset: nextOffset, entries: revision, begins, exportedAt, idBase, isRaw };
    return { ...head, chunk, nextCursor: writeCursor(next) };
  }

  /**
   * Stores a copy, which this coordinator then owns. With an id of the caller's it is safe to send
   * it again.
   * @param journal checked by `validateExport`
   * @throws TASKFLOW_VALIDATION_ERROR, TASKFLOW_OVERLOADED, STORE_UNAVAILABLE
   */
  async import(journal: readonly Entry[], newTaskflowId?: string): Promise<Imported> {
    const { store, ids, clock } = this.#ports;
    const taskflowId = newTaskflowId ?? ids.sorted();
    if (newTaskflowId !== undefined && (await this.#coordinator.exists(taskflowId))) return this.#existing(taskflowId);
    this.#coordinator.checkRoom();
    const { entries, flow } = copyOrTell(journal, { taskflowId, idBase: idBaseOf(ids.random()) }, clock.now());
    const row = newRow(flow, this.#settings.owner);
    const texts = entries.map(({ at, facts }) => encodeEntry(at, facts));
    if ((await store.insert(row, texts)) === "conflict") return this.#existing(taskflowId);
    this.#coordinator.adopt({ row, entries: texts, revision: texts.length });
    return { taskflowId, status: flow.status };
  }

  async #existing(taskflowId: string): Promise<Imported> {
    const flow = await this.#coordinator.peek(taskflowId);
    if (!flow) throw taskflowError("TASKFLOW_NOT_FOUND", `Taskflow "${taskflowId}" is being deleted: try again.`, { taskflowId });
    return { taskflowId, status: flow.status, existing: true };
  }
}

function copyOrTell(...given: Parameters<typeof copyJournal>): ReturnType<typeof copyJournal> {
  try {
    return copyJournal(...given);
  } catch (error) {
    const path = error instanceof JournalError ? `/entries/${error.entry}` : "/entries";
    const message = `${path} does not follow from what stands before it: ${error instanceof Error ? error.message : String(error)}`;
    throw validationError("The export is not valid", [{ path, message, keyword: "journal" }]);
  }
}

/** Empty where the beginning of the journal is damaged. */
function idBaseIn({ entries }: RawTaskflow): string {
  const match = /"idBase":"([0-9a-f-]{24})"/.exec(entries[0] ?? "");
  return match?.[1] ?? NO_BASE;
}

/** Takes the place of ids that cannot be read. */
const NO_BASE = "-".repeat(24);

function isJson({ entries }: RawTaskflow): boolean {
  try {
    for (const entry of entries) JSON.parse(entry ?? "");
    return true;
  } catch {
    return false;
  }
}

/** A damaged journal, as it is stored: the text of each entry, null for one that is missing. */
const asTexts = ({ entries }: RawTaskflow): string[] => entries.map((entry) => JSON.stringify(entry));

function surelyFits(pieces: readonly string[], maxBytes: number): boolean {
  return pieces.reduce((sum, { length }) => sum + 3 * length, 0) <= maxBytes;
}

function writeCursor({ offset, entries, begins, exportedAt, idBase, isRaw }: Place): string {
  const text = `${isRaw ? "r" : "x"}${FORMAT}:${offset}:${entries}:${begins}:${exportedAt}:${idBase}`;
  return Buffer.from(text).toString("base64url");
}

function readCursor(cursor: string): Place {
  const text = Buffer.from(cursor, "base64url").toString("latin1");
  const [, kind, offset, entries, begins, exportedAt, idBase = ""] =
    /^([xr])1:(\d{1,15}):(\d{1,9}):(-?\d{1,9}):(\d{1,15}):([0-9a-f-]{24})$/.exec(text) ?? [];
  if (offset === undefined) throw notAPlace(cursor);
  const [count, first, at] = [entries, begins, exportedAt].map(Number) as [number, number, number];
  return { offset: Number(offset), entries: count, begins: first, exportedAt: at, idBase, isRaw: kind === "r" };
}

function notAPlace(cursor = ""): RangeError {
  return new RangeError(`The cursor must come from exportTaskflow for this taskflow, got "${cursor.slice(0, 40)}".`);
}
