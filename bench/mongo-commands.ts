import { type CommandStartedEvent, MongoClient } from "mongodb";
import type { Counters } from "./contender.ts";

/** The lists in the commands that write: each element is an operation. */
const WRITES: Readonly<Record<string, string>> = { insert: "documents", update: "updates", delete: "deletes" };

/**
 * Counts what every MongoDB client of this process writes, by the driver's command monitoring
 * (`monitorCommands=true` in its URL).
 */
export function countCommands(): Counters {
  const counters = { commands: 0, operations: 0 };
  const count = ({ commandName, command }: CommandStartedEvent): void => {
    const list = WRITES[commandName];
    if (list === undefined) return;
    counters.commands++;
    counters.operations += (command as Record<string, unknown[]>)[list]?.length ?? 0;
  };
  const connect = Reflect.get(MongoClient.prototype, "connect");
  MongoClient.prototype.connect = function (this: MongoClient) {
    this.on("commandStarted", count);
    return connect.call(this);
  };
  return counters;
}
