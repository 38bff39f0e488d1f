/** Params that no bus could deliver, handed in by a caller of the coordinator's own process. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ACTIONS } from "../../schemas/actions/index.ts";
import { ERRORS } from "../../lib/errors/catalogue.ts";
import { type LocalNode, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";

let node: LocalNode;
beforeAll(async () => {
  node = await startLocalNode({ services: [{ name: "svc", actions: { ok: () => 1 } }] });
  await node.client.produce({ taskflowId: "f", stages: [stageOf("one", ["none"])] });
});
afterAll(() => stopLocalNodes());

const cycle: Record<string, unknown> = {};
cycle["self"] = cycle;
const trap = (): never => {
  throw new TypeError("a trap");
};
const throwing = new Proxy(
  {},
  {
    get: () => {
      throw new TypeError("a trap");
    },
    ownKeys: () => {
      throw new TypeError("a trap");
    },
  },
);
const revoked = Proxy.revocable({}, {});
revoked.revoke();

const VALUES: readonly (readonly [string, () => unknown])[] = [
  ["a function", () => () => 1],
  ["a symbol", () => Symbol("s")],
  ["a BigInt", () => 1n],
  ["a cycle", () => cycle],
  ["a getter that throws", () => Object.defineProperty({}, "x", { enumerable: true, get: () => trap() })],
  ["a proxy that throws", () => throwing],
  ["a proxy that is revoked", () => revoked.proxy],
  ["a toJSON that throws", () => ({ toJSON: () => trap() })],
  ["an array of undefined and a function", () => [undefined, () => 1]],
];

/** They end in their own time, whatever their params. */
const UNTRIED: ReadonlySet<string> = new Set(["bulk", "waitForTaskflow"]);

/** An error of the catalogue, or none. */
async function typeOf(action: string, params: unknown): Promise<string> {
  const [answer] = await Promise.allSettled([node.broker.call(`taskflow.${action}`, params)]);
  return answer?.status === "rejected" ? String((answer.reason as { type?: unknown }).type) : "answered";
}

const names = Object.entries(ACTIONS).flatMap(([name, { kind }]) => (kind === "internal" || UNTRIED.has(name) ? [] : name));

test.each(VALUES)(
  "%s anywhere in the params of any action is answered, or refused with an error of the catalogue",
  async (_title, make) => {
    for (const name of names) {
      const { properties } = ACTIONS[name as keyof typeof ACTIONS].params as { properties?: object };
      const whole: [string, unknown][] = [["", make()]];
      // Without a timeout of its own it waits for a minute.
      for (const key of Object.keys(properties ?? {}).filter((each) => each !== "timeout")) {
        whole.push([key, { taskflowId: "f", timeout: 1, [key]: make() }]);
        whole.push([`${key}/value`, { taskflowId: "f", timeout: 1, [key]: { type: "t", value: make() } }]);
      }
      for (const [path, params] of whole)
        expect([name, path, await typeOf(name, params)]).toEqual([
          name,
          path,
          expect.stringMatching(`^(answered|${Object.keys(ERRORS).join("|")})$`),
        ]);
    }
  },
  120_000,
);

test("what is no data counts as absent, as it does over the bus, and the rest is refused with its path", async () => {
  const { broker } = node;
  const list = (annotations: object): Promise<unknown> => broker.call("taskflow.listTaskflows", { annotations });
  await expect(list({ type: "t", value: () => 1 })).resolves.toMatchObject({ success: true });
  await expect(list({ value: () => 1 })).rejects.toMatchObject({ data: [{ path: "/annotations/type" }] });
  await expect(list({ type: "t", value: 1n })).rejects.toMatchObject({ data: [{ path: "/annotations/value" }] });
  await expect(list({ type: "t", value: cycle })).rejects.toMatchObject({ data: [{ path: "/annotations/value/self" }] });
});
