/**
 * Messages on their way to the socket, as NATS's protocol has them, written one behind the other
 * into one piece of memory.
 *
 * `client.publish` keeps three small buffers a message (the command, the payload, the line's
 * end), and joins them all when it writes. A busy coordinator publishes tens of thousands of
 * events a second, and that was a tenth of its time. Here a text is written where it will be read
 * from, and what an event shares with the one before it is copied, not encoded again.
 *
 * Nothing is held back: what was published is the client's in the same turn of the event loop, as
 * with `client.publish`.
 */
import type { MsgHdrs, NatsConnection } from "nats";
import type { Logger } from "../../ports/logger.ts";
import { knowsInternals } from "../system/known-internals.ts";
import { decodeHeaders } from "./headers.ts";

/** Versions of nats.js whose client is as here. */
const KNOWN_VERSIONS = ["2.29"];

/** Bytes of a slab. A message beyond a quarter of it goes the client's own way. */
const SLAB = 256 * 1024;
const LARGE = SLAB / 4;
/** More than the command and the line's end take beside the subject. */
const FRAME = 64;

const CARRIAGE_RETURN = 13;
const LINE_FEED = 10;

/** What the client has behind its types (protocol.js): takes bytes that are protocol already. */
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
 * Ready bytes in the shape that `client.publish` takes: it calls `encode` and nothing else,
 * though the type has many more.
 */
function readyHeaders(bytes: Uint8Array): MsgHdrs {
  return { encode: () => bytes } as unknown as MsgHdrs;
}

class NatsWriteBuffer {
  readonly #client: NatsConnection;
  readonly #protocol: Protocol | undefined;
  #slab = Buffer.alloc(0);
  /** From here on the slab was not handed over; up to `#end` it is written. */
  #start = 0;
  #end = 0;
  #isPlanned = false;
  /**
   * After all microtasks that follow from this callback of the event loop: the answers that it
   * resolves leave in the same write.
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
   * @param shared the end of the payload: the same as that of the message before where both say
   * the same
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
    // Nearly always each character is one byte, and that is found out by writing them: to count
    // them first takes longer.
    const bytes = this.#writeMessage(subject, own, shared, headers, length);
    if (bytes === length) return bytes;
    this.#end = from;
    this.#sharedAt = 0;
    return this.#writeMessage(subject, own, shared, headers, bytes);
  }

  /**
   * @returns the bytes that the payload took: if it is not `bytes`, what was written says so
   * wrongly
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
   * Hands over what was written. To be called before anything else is sent through the client
   * whose order matters.
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
   * False: the client is to be given the message. It is too large for here, or the client is
   * closed and will say so.
   */
  #hasRoom(subject: string, bytes: number): boolean {
    const most = bytes + 3 * subject.length + FRAME;
    if (!this.#protocol || most > LARGE || bytes > (this.#client.info?.max_payload ?? 0)) return false;
    if (this.#client.isClosed() || this.#client.isDraining()) return false;
    if (this.#end + most > this.#slab.length) {
      this.flush();
      // A new one: the socket may still read from the old one.
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
