/**
 * A proxy that understands MongoDB's wire protocol: it records every command, and does to it what
 * a test asks for. What the driver does on a connection that is lost, or that brings an error of
 * the server, is tested with it where the server at hand has no such errors.
 */
import { BSON } from "mongodb";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

export interface Command {
  /** `insert`, `update`, `find` … */
  readonly name: string;
  readonly collection: string;
  /** The whole command, its documents, updates or deletes included. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly bytes: number;
}

/**
 * - cut before: the connection ends, and the server never sees the command. - cut after: the
 *   server has done it, the answer does not come.
 * - no answer: the server has done it, the answer is swallowed, the connection stays. - swallow:
 *   neither reaches the other.
 * - reply: the server sees nothing, this is the answer. - change: the server's answer as this
 *   function makes it.
 * - after: the command waits for this promise, or its answer does.
 */
export type Fault =
  | "cut before"
  | "cut after"
  | "no answer"
  | "swallow"
  | { readonly reply: object }
  | { readonly change: (answer: Record<string, unknown>) => object }
  | { readonly commandAfter: Promise<unknown> }
  | { readonly answerAfter: Promise<unknown> };

export interface MongoProxy {
  readonly port: number;
  /** Commands of the driver's users, without those that it sends by itself. */
  readonly commands: Command[];
  /** Asked for each command, also for the driver's own. */
  fault: (command: Command) => Fault | undefined;
  /** The next command of this name (on `taskflows`) gets this fault. Resolves when it was there. */
  once(name: string, fault: Fault): Promise<Command>;
  cutAll(): void;
  close(): Promise<void>;
}

const OP_MSG = 2_013;
const HEADER = 16;
const OWN = new Set(["hello", "ismaster", "isMaster", "ping", "endSessions", "saslStart", "saslContinue", "buildInfo"]);

export async function startMongoProxy(targetPort: number, targetHost = "127.0.0.1"): Promise<MongoProxy> {
  const sockets = new Set<Socket>();
  const awaited: { name: string; fault: Fault; seen: (command: Command) => void }[] = [];
  const proxy: MongoProxy = {
    port: 0,
    commands: [],
    fault: () => undefined,
    once: (name, fault) => new Promise((seen) => awaited.push({ name, fault, seen })),
    cutAll: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: () => {
      proxy.cutAll();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  const faultOf = (command: Command): Fault | undefined => {
    if (!OWN.has(command.name)) proxy.commands.push(command);
    const index = awaited.findIndex(({ name }) => name === command.name && command.collection === "taskflows");
    if (index < 0) return proxy.fault(command);
    const [{ fault, seen }] = awaited.splice(index, 1) as [(typeof awaited)[number]];
    seen(command);
    return fault;
  };
  const server = createServer((client) => {
    const upstream = connect({ port: targetPort, host: targetHost, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    link(client, upstream, faultOf);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return Object.defineProperty(proxy, "port", { value: (server.address() as AddressInfo).port });
}

function link(client: Socket, upstream: Socket, faultOf: (command: Command) => Fault | undefined): void {
  const answers = new Map<number, Fault>();
  const send = (socket: Socket, message: Buffer): void => {
    if (!socket.destroyed) socket.write(message);
  };
  onMessages(client, (message) => {
    const command = parseCommand(message);
    const fault = command && faultOf(command);
    if (fault === undefined) return send(upstream, message);
    if (fault === "cut before") return void client.destroy();
    if (fault === "swallow") return;
    const id = message.readInt32LE(4);
    if (typeof fault === "object" && "reply" in fault) return send(client, encodeAnswer(fault.reply, id));
    if (typeof fault === "object" && "commandAfter" in fault) return void fault.commandAfter.then(() => send(upstream, message));
    answers.set(id, fault);
    send(upstream, message);
  });
  onMessages(upstream, (message) => {
    const id = message.readInt32LE(8);
    const fault = answers.get(id);
    answers.delete(id);
    if (fault === "cut after") return void client.destroy();
    if (fault === "no answer") return;
    if (typeof fault === "object" && "answerAfter" in fault) return void fault.answerAfter.then(() => send(client, message));
    if (typeof fault === "object" && "change" in fault) return send(client, encodeAnswer(fault.change(parseBody(message)), id));
    send(client, message);
  });
}

/** Calls back with one whole message after another. */
function onMessages(socket: Socket, take: (message: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  const chunks: Buffer[] = [];
  let length = 0;
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length < HEADER || length < (chunks[0]!.length >= 4 ? chunks[0]!.readInt32LE(0) : 0)) return;
    rest = Buffer.concat(chunks.splice(0));
    while (rest.length >= 4 && rest.length >= rest.readInt32LE(0)) {
      const size = rest.readInt32LE(0);
      take(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
    if (rest.length > 0) chunks.push(rest);
    length = rest.length;
  });
}

function parseBody(message: Buffer): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  let at = HEADER + 4;
  while (at < message.length) {
    const kind = message[at]!;
    const size = message.readInt32LE(at + 1);
    if (kind === 0) Object.assign(body, BSON.deserialize(message.subarray(at + 1, at + 1 + size)));
    else Object.assign(body, parseSequence(message.subarray(at + 5, at + 1 + size)));
    at += 1 + size;
  }
  return body;
}

function parseSequence(section: Buffer): Record<string, unknown> {
  const end = section.indexOf(0);
  const documents: unknown[] = [];
  for (let at = end + 1; at < section.length; at += section.readInt32LE(at)) {
    documents.push(BSON.deserialize(section.subarray(at, at + section.readInt32LE(at))));
  }
  return { [section.toString("utf8", 0, end)]: documents };
}

function parseCommand(message: Buffer): Command | undefined {
  if (message.readInt32LE(12) !== OP_MSG) return undefined;
  const body = parseBody(message);
  // The section of documents may come first.
  const name = Object.keys(body).find((key) => !["documents", "updates", "deletes"].includes(key)) ?? "";
  return { name, collection: String(body[name]), body, bytes: message.length };
}

function encodeAnswer(answer: object, responseTo: number): Buffer {
  const document = BSON.serialize(answer);
  const message = Buffer.alloc(HEADER + 5 + document.length);
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(1, 4);
  message.writeInt32LE(responseTo, 8);
  message.writeInt32LE(OP_MSG, 12);
  message.set(document, HEADER + 5);
  return message;
}
