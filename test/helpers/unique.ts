import { randomBytes } from "node:crypto";

let count = 0;

/**
 * A name that no other test, file or run uses: a namespace, a node id, a store. Letters, digits
 * and dashes.
 */
export function uniqueName(prefix = "test"): string {
  count += 1;
  return `${prefix}-${count}-${randomBytes(6).toString("hex")}`;
}

/**
 * A Moleculer namespace of its own for a test, so that tests on one NATS server do not see one
 * another.
 */
export function uniqueNamespace(): string {
  return uniqueName("ns");
}
