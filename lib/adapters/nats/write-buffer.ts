/**
 * Messages on their way to the socket, in the form of NATS's protocol, one after the other in one
 * block of memory. `client.publish` keeps three small buffers for each message (the command, the
 * payload, the line's end) and joins them all when it writes. A busy coordinator publishes tens of
 * thousands of events a second, and that took a tenth of its time. Here each text is written where
 * the socket reads it, and parts that an event shares with the one before are copied, not encoded
 * again. Nothing is held back: the client gets every message in the turn of the event loop in which
 * it was published, as with `client.publish`.
 */
import type { MsgHdrs, NatsConnection } from "nats";
import type { Logger } from "../../ports/logger.ts";
import { knowsInternals } from "../system/known-internals.ts";
import { decodeHeaders } from "./headers.ts";

/** Versions of nats.js with this client. */
const KNOWN_VERSIONS = ["2.29"];

/** Bytes of a slab. A message beyond a quarter of it goes the client's own way. */
const SLAB = 256 * 1024;
const LARGE = SLAB / 4;
/** More than the command and the line's end take beside the subject. */
const FRAME = 64;

const CARRIAGE_RETURN = 13;
const LINE_FEED = 10;

/** The client's private member (protocol.js) that takes bytes in the form of the protocol. */
interface Protocol {
  sendCommand(bytes: Uint8Array): void;
  flushPending(): void;
}

export interface WriteBufferOptions {
  /** False: everything goes through `client.publish`. Default: true. */
  readonly isOn?: boolean;
  readonly logger?: Pick<Logger, "info">;
}

const buffers = new WeakMap<NatsConnection, NatsWriteBuffer>();

/** The one write buffer of a connection; the options count when it is first asked for. */
export function writeBufferOf(client: NatsConnection, options?: WriteBufferOptions): NatsWriteBuffer {
  let buffer = buffers.get(client);
  if (!buffer) buffers.set(client, (buffer = new NatsWriteBuffer(client, options)));
  return buffer;
}

function protocolOf(client: NatsConnection, logger: Pick<Logger, "info"> | undefined): Protocol | undefined {
  const { protocol } = client as unknown as { protocol?: Partial<Protocol> & { transport?: { version?: unknown } } };
  const internals = {
    library: "nats.js",
    version: protocol?.transport?.version,
    known: KNOWN_VERSIONS,
    areThere: typeof protocol?.sendCommand === "function" && typeof protocol.flushPending === "function",
    plainPath: "messages go through client.publish",
  };
  return knowsInternals(internals, logger) ? (protocol as Protocol) : undefined;
}

/**
 * Ready bytes in the form that `client.publish` takes: it calls only `encode`, though the type has
 * many more methods.
 */
function readyHeaders(bytes: Uint8Array): MsgHdrs {
  return { encode: () => bytes } as unknown as MsgHdrs;
}

class NatsWriteBuffer {
  readonly #client: NatsConnection;
  readonly #protocol: Protocol | undefined;
  #slab = Buffer.alloc(0);
  /** The slab has not been handed over from here on; it is written up to `#end`. */
  #start = 0;
  #end = 0;
  #isPlanned = false;
  /**
   * After all microtasks of this callback of the event loop: the answers that it resolves leave in
   * the same write.
   */
  readonly #flushPlanned = (): void => {
    this.#isPlanned = false;
    this.flush();
  };
  /** The end of the latest text, and where it stands in this slab. */
  #shared = "";
  #sharedAt = 0;
  #sharedBytes = 0;

  constructor(client: NatsConnection, { isOn = true, logger }: WriteBufferOptions = {}) {
    this.#client = client;
    this.#protocol = isOn ? protocolOf(client, logger) : undefined;
  }

  /** Whether the client's private parts may be used. */
  get isOn(): boolean {
    return this.#protocol !== undefined;
  }

  /**
   * @param shared the end of the payload, if it is the same as in the previous message
   * @param headers a block of headers, of ASCII characters
   * @returns the bytes of the payload
   */
  publishText(subject: string, own: string, shared = "", headers = ""): number {
    const length = own.length + shared.length;
    if (!this.#hasRoom(subject, headers.length + 3 * length)) {
      const data = Buffer.from(own + shared);
      this.publish(subject, data, headers === "" ? undefined : Buffer.from(headers, "latin1"));
      return data.length;
    }
    const from = this.#end;
    // Nearly always each character is one byte, which the write itself shows: counting first takes
    // longer.
    const bytes = this.#writeMessage(subject, own, shared, headers, length);
    if (bytes === length) return bytes;
    this.#end = from;
    this.#sharedAt = 0;
    return this.#writeMessage(subject, own, shared, headers, bytes);
  }

  /**
   * @returns the bytes of the payload; if they differ from `bytes`, the length in the written
   * command is wrong
   */
  #writeMessage(subject: string, own: string, shared: string, headers: string, bytes: number): number {
    const { length } = headers;
    this.#write(length > 0 ? `HPUB ${subject} ${length} ${length + bytes}\r\n${headers}` : `PUB ${subject} ${bytes}\r\n`);
    const from = this.#end;
    this.#write(own);
    if (shared !== "") this.#writeShared(shared);
    const written = this.#end - from;
    this.#endMessage();
    return written;
  }

  #writeShared(shared: string): void {
    const from = this.#end;
    if (shared === this.#shared && this.#sharedAt > 0) {
      this.#slab.copyWithin(from, this.#sharedAt, this.#sharedAt + this.#sharedBytes);
      this.#end += this.#sharedBytes;
    } else {
      this.#write(shared);
      this.#shared = shared;
      this.#sharedBytes = this.#end - from;
    }
    this.#sharedAt = from;
  }

  /** @param headers a block of headers as bytes */
  publish(subject: string, data: Uint8Array, headers?: Uint8Array): void {
    const headerBytes = headers?.length ?? 0;
    const bytes = headerBytes + data.length;
    if (!this.#hasRoom(subject, bytes)) {
      this.flush();
      const encoded = headers && (this.#protocol ? readyHeaders(headers) : decodeHeaders(headers));
      this.#client.publish(subject, data, encoded && { headers: encoded });
      return;
    }
    this.#write(headers ? `HPUB ${subject} ${headerBytes} ${bytes}\r\n` : `PUB ${subject} ${bytes}\r\n`);
    if (headers) this.#slab.set(headers, this.#end);
    this.#slab.set(data, this.#end + headerBytes);
    this.#end += bytes;
    this.#endMessage();
  }

  /**
   * Hands over the written messages. Must be called before anything else whose order matters is
   * sent through the client.
   */
  flush(): void {
    if (this.#end === this.#start) return;
    const written = this.#slab.subarray(this.#start, this.#end);
    this.#start = this.#end;
    if (this.#client.isClosed()) return;
    this.#protocol?.sendCommand(written);
    this.#protocol?.flushPending();
  }

  /**
   * False: the message has to go through the client. It is too large for a slab, or the client is
   * closed and will report that.
   */
  #hasRoom(subject: string, bytes: number): boolean {
    const most = bytes + 3 * subject.length + FRAME;
    if (!this.#protocol || most > LARGE || bytes > (this.#client.info?.max_payload ?? 0)) return false;
    if (this.#client.isClosed() || this.#client.isDraining()) return false;
    if (this.#end + most > this.#slab.length) {
      this.flush();
      // A new slab: the socket may still read from the old one.
      this.#slab = Buffer.allocUnsafeSlow(SLAB);
      this.#start = this.#end = this.#sharedAt = 0;
    }
    if (!this.#isPlanned) {
      this.#isPlanned = true;
      queueMicrotask(() => process.nextTick(this.#flushPlanned));
    }
    return true;
  }

  #endMessage(): void {
    this.#slab[this.#end++] = CARRIAGE_RETURN;
    this.#slab[this.#end++] = LINE_FEED;
  }

  #write(text: string): void {
    this.#end += this.#slab.write(text, this.#end);
  }
}
