import type { Resident } from "./resident.ts";

/** Empty once its taskflow has left. */
interface Place {
  resident: Resident | undefined;
}

/**
 * A coordinator's resident taskflows, by id.
 *
 * With thousands coming and going each second, a plain `Map` keeps taskflows alive that have left.
 * V8 gives it a new table whenever the old one is full of deleted entries, and each outgrown table
 * refers to its content and its successor: once one of them is old, collections of young objects
 * free neither. They made up two thirds of what these collections copied. So the tables hold
 * places, which are emptied.
 */
export class Residents {
  readonly #places = new Map<string, Place>();

  get size(): number {
    return this.#places.size;
  }

  get(taskflowId: string): Resident | undefined {
    return this.#places.get(taskflowId)?.resident;
  }

  has(taskflowId: string): boolean {
    return this.#places.has(taskflowId);
  }

  set(taskflowId: string, resident: Resident): void {
    this.delete(taskflowId);
    this.#places.set(taskflowId, { resident });
  }

  delete(taskflowId: string): void {
    const place = this.#places.get(taskflowId);
    if (!place) return;
    place.resident = undefined;
    this.#places.delete(taskflowId);
  }

  *values(): Generator<Resident> {
    for (const { resident } of this.#places.values()) if (resident) yield resident;
  }

  clear(): void {
    for (const place of this.#places.values()) place.resident = undefined;
    this.#places.clear();
  }
}
