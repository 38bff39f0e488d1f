/**
 * A TCP proxy that breaks links in the ways in which networks do.
 *
 * A direction that is stalled is not read from: nothing that was sent is lost or reordered, it
 * arrives when the link is restored, as TCP would deliver it after an outage shorter than its own
 * time-out. "up" is from the client to the server, "down" is back.
 */
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

export type Direction = "up" | "down";

interface LinkState {
  cut: boolean;
  stalled: Record<Direction, boolean>;
  delayMs: number;
}

/**
 * One direction of one connection: what was read waits here until it is due and the direction
 * flows. `null` is the end.
 */
class Pipe {
  readonly #source: Socket;
  readonly #target: Socket;
  readonly #direction: Direction;
  readonly #state: LinkState;
  readonly #queue: { dueAt: number; chunk: Buffer | null }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(source: Socket, target: Socket, direction: Direction, state: LinkState) {
    this.#source = source;
    this.#target = target;
    this.#direction = direction;
    this.#state = state;
    source.on("data", (chunk: Buffer) => this.#push(chunk));
    source.on("end", () => this.#push(null));
    target.on("close", () => clearTimeout(this.#timer));
    target.on("drain", () => this.flow());
    this.flow();
  }

  #push(chunk: Buffer | null): void {
    this.#queue.push({ dueAt: performance.now() + this.#state.delayMs, chunk });
    this.flow();
  }

  /** Passes on what may pass, and reads on or stops reading. Called after every change. */
  flow(): void {
    clearTimeout(this.#timer);
    if (this.#state.stalled[this.#direction]) {
      this.#source.pause();
      return;
    }
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      const waitMs = head.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.flow(), Math.ceil(waitMs));
        break;
      }
      this.#queue.shift();
      if (head.chunk === null) this.#target.end();
      else if (!this.#target.destroyed) this.#target.write(head.chunk);
    }
    if (this.#target.writableNeedDrain) this.#source.pause();
    else this.#source.resume();
  }
}

export interface TcpProxy {
  /** Where it listens, on 127.0.0.1. */
  readonly port: number;
  /** Connections that it holds now. */
  readonly connections: number;
  /** Resets every connection at once and lets no new one live, until `restore`. */
  cut(): void;
  /**
   * Ends a cut, a stall and a delay. What was stalled is delivered. Connections that were cut
   * stay closed.
   */
  restore(): void;
  /**
   * Lets only this direction through; the other one is stalled, on the connections there are and
   * on new ones.
   */
  oneWay(direction: Direction): void;
  /** Delays all that is sent from now on by this time, each way. 0 ends it. */
  delay(delayMs: number): void;
  /**
   * Stalls both directions: connections stay open and new ones are accepted, but nothing passes,
   * not even their end.
   */
  halfOpen(): void;
  /** Closes everything. Idempotent. */
  close(): Promise<void>;
}

/**
 * Node leaves the handle of a socket open for ever where it is reset between its `end()` and the
 * end of the shutdown that this begins: the process then never exits.
 */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** Starts a proxy in front of a port of this machine. */
export async function startProxy(targetPort: number, targetHost = "127.0.0.1"): Promise<TcpProxy> {
  const state: LinkState = { cut: false, stalled: { up: false, down: false }, delayMs: 0 };
  const links = new Set<{ reset(): void; flow(): void }>();

  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (state.cut) {
      client.on("error", () => undefined);
      client.resetAndDestroy();
      return;
    }
    client.setNoDelay(true);
    const upstream = connect({ port: targetPort, host: targetHost, allowHalfOpen: true, noDelay: true });
    const pipes = [new Pipe(client, upstream, "up", state), new Pipe(upstream, client, "down", state)];
    const link = {
      reset: () => {
        for (const socket of [client, upstream]) reset(socket);
      },
      flow: () => {
        // A broken side is noticed by the other one only while that direction flows.
        if (client.errored && !state.stalled.up) upstream.destroy();
        if (upstream.errored && !state.stalled.down) client.destroy();
        if (client.destroyed && upstream.destroyed) links.delete(link);
        for (const pipe of pipes) pipe.flow();
      },
    };
    links.add(link);
    for (const socket of [client, upstream]) socket.on("error", () => undefined).on("close", link.flow);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });

  const setStalled = (up: boolean, down: boolean): void => {
    state.stalled = { up, down };
    for (const link of links) link.flow();
  };
  const resetAll = (): void => {
    for (const link of links) link.reset();
  };
  let closed: Promise<void> | undefined;
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return links.size;
    },
    cut: () => {
      state.cut = true;
      resetAll();
    },
    restore: () => {
      state.cut = false;
      state.delayMs = 0;
      setStalled(false, false);
    },
    oneWay: (direction) => setStalled(direction !== "up", direction !== "down"),
    delay: (delayMs) => {
      state.delayMs = delayMs;
    },
    halfOpen: () => setStalled(true, true),
    close: () => {
      closed ??= new Promise((resolve) => server.close(() => resolve()));
      resetAll();
      return closed;
    },
  };
}
