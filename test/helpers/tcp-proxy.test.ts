import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { eventually } from "./eventually.ts";
import { startProxy } from "./tcp-proxy.ts";
import type { TcpProxy } from "./tcp-proxy.ts";

/** A socket's other end in words: what came, and whether it is over. */
class Peer {
  readonly socket: Socket;
  received = "";
  ended = false;
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      this.received += text;
    });
    socket.on("end", () => {
      this.ended = true;
    });
    socket.on("close", () => {
      this.closed = true;
    });
    socket.on("error", () => undefined);
  }
}

describe("the TCP proxy of the tests", () => {
  let server: Server;
  let proxy: TcpProxy;
  let accepted: Peer[];
  let opened: Peer[];

  beforeEach(async () => {
    accepted = [];
    opened = [];
    server = createServer((socket) => accepted.push(new Peer(socket)));
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    proxy = await startProxy((server.address() as AddressInfo).port);
  });

  afterEach(async () => {
    await proxy.close();
    for (const peer of [...opened, ...accepted]) peer.socket.destroy();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });

  function open(): Peer {
    const peer = new Peer(connect(proxy.port, "127.0.0.1"));
    opened.push(peer);
    return peer;
  }

  async function openThrough(): Promise<{ client: Peer; remote: Peer }> {
    const client = open();
    const remote = await eventually(() => {
      const last = accepted.at(-1);
      expect(accepted).toHaveLength(opened.length);
      if (last === undefined) throw new Error("nothing was accepted");
      return last;
    });
    return { client, remote };
  }

  /**
   * A second link carries this, so what did not come through the first one by then was held back.
   */
  async function aRoundTripElsewhere(): Promise<void> {
    const other = await startProxy((server.address() as AddressInfo).port);
    const client = new Peer(connect(other.port, "127.0.0.1"));
    client.socket.write("ping");
    await eventually(() => expect(accepted.at(-1)?.received).toBe("ping"));
    accepted.at(-1)?.socket.write("pong");
    await eventually(() => expect(client.received).toBe("pong"));
    await other.close();
  }

  it("passes data and the end of a connection both ways", async () => {
    const { client, remote } = await openThrough();
    client.socket.write("hello");
    await eventually(() => expect(remote.received).toBe("hello"));
    remote.socket.write("welcome");
    await eventually(() => expect(client.received).toBe("welcome"));
    client.socket.end();
    await eventually(() => expect([remote.ended, client.closed]).toEqual([true, true]));
    await eventually(() => expect(proxy.connections).toBe(0));
  });

  it("passes more than fits into the buffers, in order", async () => {
    const { client, remote } = await openThrough();
    const text = Array.from({ length: 400_000 }, (_, index) => `${index};`).join("");
    client.socket.end(text);
    await eventually(() => expect(remote.ended).toBe(true));
    expect(remote.received === text).toBe(true);
  });

  it("closes connections when cut, lets no new one live, and lets them through again when restored", async () => {
    const { client, remote } = await openThrough();
    proxy.cut();
    await eventually(() => expect([client.closed, remote.closed]).toEqual([true, true]));
    const refused = open();
    await eventually(() => expect(refused.closed).toBe(true));
    expect(accepted).toHaveLength(1);
    opened = [];
    accepted = [];
    proxy.restore();
    const again = await openThrough();
    again.client.socket.write("back");
    await eventually(() => expect(again.remote.received).toBe("back"));
  });

  it.each(["up", "down"] as const)(
    "lets only %s through when told so, and delivers the rest when restored",
    async (direction) => {
      const { client, remote } = await openThrough();
      const [from, to] = direction === "up" ? [client, remote] : [remote, client];
      proxy.oneWay(direction);
      from.socket.write("passes");
      to.socket.write("waits");
      await eventually(() => expect(to.received).toBe("passes"));
      await aRoundTripElsewhere();
      expect(from.received).toBe("");
      proxy.restore();
      await eventually(() => expect(from.received).toBe("waits"));
    },
  );

  it("holds a half-open connection: nothing passes, not even its end, and new connections hear nothing", async () => {
    const { client, remote } = await openThrough();
    proxy.halfOpen();
    client.socket.end("last words");
    const late = open();
    late.socket.write("anybody?");
    await aRoundTripElsewhere();
    expect([remote.received, remote.ended, remote.closed, client.closed, late.closed]).toEqual(["", false, false, false, false]);
    proxy.restore();
    await eventually(() => expect([remote.received, remote.ended]).toEqual(["last words", true]));
    await eventually(() => expect(accepted.map((peer) => peer.received)).toContain("anybody?"));
  });

  it("does not tell one side of a half-open connection that the other one broke off, until it is restored", async () => {
    const { client, remote } = await openThrough();
    proxy.halfOpen();
    client.socket.resetAndDestroy();
    await aRoundTripElsewhere();
    expect(remote.closed).toBe(false);
    proxy.restore();
    await eventually(() => expect(remote.closed).toBe(true));
  });

  it("delays each way by the time given, and keeps the order", async () => {
    const { client, remote } = await openThrough();
    proxy.delay(60);
    const sentAt = performance.now();
    client.socket.write("slow");
    client.socket.write("ly");
    await eventually(() => expect(remote.received).toBe("slowly"));
    remote.socket.write("answer");
    await eventually(() => expect(client.received).toBe("answer"));
    expect(performance.now() - sentAt).toBeGreaterThanOrEqual(119);
  });

  it("closes a client's connection where the server cannot be reached", async () => {
    const unreachable = await startProxy(1);
    const client = new Peer(connect(unreachable.port, "127.0.0.1"));
    await eventually(() => expect(client.closed).toBe(true));
    await unreachable.close();
  });
});
