/** Moleculer nodes for tests: quiet, without signal handlers, stopped by `stopNodes`. */
import { Loggers, ServiceBroker } from "moleculer";
import type { BrokerOptions, ServiceSchema } from "moleculer";
import type { NatsTransporter } from "../../lib/adapters/nats/transporter.ts";

export interface TestNode {
  readonly broker: ServiceBroker;
  /** What the node logged, from level info: `warn text …`. */
  readonly lines: string[];
}

/**
 * Other nodes hear of a new service at once instead of after a second. Moleculer's types do not
 * know the option.
 */
const TRANSIT = { serviceChangedDebounceTime: 0 } as BrokerOptions["transit"] & object;

const nodes: TestNode[] = [];

/** Keeps the lines and prints nothing. */
class LineLogger extends Loggers.Base<object> {
  readonly #lines: string[];

  constructor(lines: string[]) {
    super();
    this.#lines = lines;
  }

  override getLogHandler(): (level: string, args: unknown[]) => void {
    return (level, args) => {
      const text = args.map((arg) => (arg instanceof Error ? arg.message : String(arg))).join(" ");
      if (level !== "debug" && level !== "trace") this.#lines.push(`${level} ${text}`);
    };
  }
}

/**
 * A broker that is not started. `transporter`: an instance, or a URL for Moleculer's own NATS
 * transporter.
 */
export function createNode(
  transporter: NatsTransporter | string,
  options: BrokerOptions & { services?: readonly ServiceSchema[] } = {},
): TestNode {
  const { services = [], ...rest } = options;
  const lines: string[] = [];
  const broker = new ServiceBroker({
    transporter: typeof transporter === "string" ? { type: "NATS", options: { url: transporter } } : transporter,
    logger: new LineLogger(lines),
    skipProcessEventRegistration: true,
    registry: { stopDelay: 0 },
    transit: TRANSIT,
    ...rest,
  });
  for (const service of services) broker.createService(service);
  const node = { broker, lines };
  nodes.push(node);
  return node;
}

/** Stops every node made since the last call: for `afterEach`. */
export async function stopNodes(): Promise<void> {
  await Promise.all(nodes.splice(0).map(({ broker }) => broker.stop()));
}
