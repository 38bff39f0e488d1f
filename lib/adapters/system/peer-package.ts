/**
 * Peers that only some users need. Each is loaded on first use, so a process that does not use it
 * needs no installation of it.
 */
import { createRequire } from "node:module";
import type { ServiceSchema } from "moleculer";
import type * as Mongodb from "mongodb";
import type * as Nats from "nats";

interface PeerPackages {
  /** The mixin itself, which its declarations call a class. */
  readonly "moleculer-db": ServiceSchema;
  readonly mongodb: typeof Mongodb;
  readonly nats: typeof Nats;
}

/** The version in the install line: that of peerDependencies in package.json. */
const VERSIONS: Readonly<Record<keyof PeerPackages, string>> = { "moleculer-db": "0.9", mongodb: "7", nats: "2" };

const load = createRequire(import.meta.url);

/**
 * Loads the package synchronously, so that a constructor that needs it can refuse.
 * @throws Error with the line that installs it, if it is missing
 */
export function loadPeer<Name extends keyof PeerPackages>(name: Name, neededBy: string): PeerPackages[Name] {
  try {
    return load(name) as PeerPackages[Name];
  } catch (error) {
    if (!isMissing(error, name)) throw error;
    throw new Error(`${neededBy} needs the package ${name}: npm install ${name}@${VERSIONS[name]}`, { cause: error });
  }
}

/** Whether the package itself is missing, not one of those that it loads. */
function isMissing(error: unknown, name: string): boolean {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "MODULE_NOT_FOUND") return false;
  return error.message.startsWith(`Cannot find module '${name}'`);
}
