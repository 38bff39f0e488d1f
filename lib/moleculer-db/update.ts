/**
 * The part of MongoDB's updates that documents in SQLite take: `$set`, `$unset` and `$inc`, with dotted paths as in `document-query.ts`.
 * A missing object on the way to a path is made. Anything else is refused, and so is a change of `_id`.
 */
import { invalidQuery, splitPath } from "./query.ts";

type JsonObject = Record<string, unknown>;

const OPERATORS: Readonly<Record<string, (parent: JsonObject, key: string, value: unknown, path: string) => void>> = {
  $set(parent, key, value) {
    parent[key] = value;
  },
  $unset(parent, key) {
    delete parent[key];
  },
  $inc(parent, key, value, path) {
    const present = Object.hasOwn(parent, key) ? parent[key] : 0;
    if (typeof value !== "number" || typeof present !== "number") throw invalidQuery(`$inc of "${path}" needs numbers.`);
    parent[key] = present + value;
  },
};

/** Changes the document in place. */
export function applyUpdate(document: JsonObject, update: object): void {
  for (const [operator, changes] of Object.entries(update)) {
    const apply = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
    if (apply === undefined) throw invalidQuery(`The update "${operator}" is not known here: use $set, $unset or $inc.`);
    if (changes === null || typeof changes !== "object") throw invalidQuery(`${operator} takes an object of paths.`);
    for (const [path, value] of Object.entries(changes as JsonObject)) {
      const keys = splitPath(path);
      if (keys[0] === "_id") throw invalidQuery("The _id of a document cannot be changed: insert another one.");
      const key = keys.pop()!;
      const parent = descend(document, keys, path, operator !== "$unset");
      if (parent !== undefined) apply(parent, key, value, path);
    }
  }
}

function descend(document: JsonObject, keys: readonly string[], path: string, make: boolean): JsonObject | undefined {
  let parent = document;
  for (const key of keys) {
    if (!Object.hasOwn(parent, key)) {
      if (!make) return undefined;
      parent[key] = {};
    }
    const child = parent[key];
    if (child === null || typeof child !== "object" || Array.isArray(child)) {
      throw invalidQuery(`"${path}" leads through "${key}", which is not an object.`);
    }
    parent = child as JsonObject;
  }
  return parent;
}
