/**
 * All settings are validated like a definition: at construction, all at once, with the nearest
 * name.
 */
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { NATS_SETTINGS } from "../../lib/adapters/nats/settings.ts";
import { resolveNatsOptions } from "../../lib/adapters/nats/options.ts";
import { NatsTransporter, TaskflowService, TaskflowWorker } from "../../lib/index.ts";
import { ADAPTER_SETTINGS } from "../../lib/moleculer-db/settings.ts";
import { TaskflowAdapter, TaskflowDb } from "../../lib/moleculer-db.ts";
import { LIMITS } from "../../lib/config/limits.ts";
import { SERVICE_SETTINGS } from "../../lib/config/service-settings.ts";
import { settingProblems } from "../../lib/config/settings.ts";
import { type Table, schemaOf, valueSchemaOf, valuesOf } from "../../lib/util/setting.ts";
import { compileFast } from "../../lib/validation/ajv.ts";
import { WORKER_SETTINGS } from "../../lib/worker/settings.ts";
import { OPTIONS, TASK_OPTIONS } from "../../schemas/options.ts";
import { settingsOf } from "../../services/taskflow/settings.ts";

type Given = Readonly<Record<string, unknown>>;
const make = {
  TaskflowService: (given: Given) => TaskflowService(given),
  TaskflowWorker: (given: Given) => TaskflowWorker(given),
  NatsTransporter: (given: Given) => new NatsTransporter(given),
  TaskflowAdapter: (given: Given) => new TaskflowAdapter(given),
  TaskflowDb: (given: Given) => TaskflowDb(given),
};
type Made = keyof typeof make;

function refusalOf(run: () => unknown): { type?: string; message: string; data?: { path: string }[] } {
  try {
    run();
  } catch (error) {
    return error as { message: string };
  }
  throw new Error("nothing was refused");
}

describe("at construction", () => {
  const duration = (from: string): string => `a duration from ${from} to 10 years, such as 5000 (ms) or "5s"`;
  test.each<[Made, Given, string, string]>([
    ["TaskflowService", { stoer: "memory:" }, "/stoer", 'is unknown: did you mean "store"?'],
    ["TaskflowService", { options: { maxRetrys: 3 } }, "/options/maxRetrys", 'is unknown: did you mean "maxRetries"?'],
    [
      "TaskflowService",
      { options: { backoff: { type: "fixed", fcator: 2 } } },
      "/options/backoff/fcator",
      'is unknown: did you mean "factor"?',
    ],
    [
      "TaskflowService",
      { options: { backoff: { factor: 2 } } },
      "/options/backoff/type",
      'is required: it must be "fixed", "linear" or "exponential".',
    ],
    ["TaskflowService", { options: { timeout: 0 } }, "/options/timeout", `must be ${duration("1 ms")}, got 0.`],
    ["TaskflowService", { options: { maxRetries: -2 } }, "/options/maxRetries", "must be a whole number of at least -1, got -2."],
    [
      "TaskflowService",
      { options: { exactlyOnceExecution: true, exactlyOnceTaskExecution: false } },
      "/options/exactlyOnceExecution",
      "is an alias of exactlyOnceTaskExecution and contradicts it: give one of the two.",
    ],
    ["TaskflowService", { options: 3 }, "/options", "must be an object, got 3."],
    ["TaskflowService", { limits: { task: 3 } }, "/limits/task", 'is unknown: did you mean "tasks"?'],
    ["TaskflowService", { limits: { tags: 1_001 } }, "/limits/tags", "must be a whole number from 0 to 1000, got 1001."],
    ["TaskflowService", { maxInFlight: 0 }, "/maxInFlight", "must be a whole number of at least 1, got 0."],
    ["TaskflowService", { maxActive: Number.NaN }, "/maxActive", "must be a whole number of at least 1, got NaN."],
    ["TaskflowService", { lease: null }, "/lease", `must be ${duration("1 s")}, got null.`],
    ["TaskflowService", { parkAfter: 999 }, "/parkAfter", `must be ${duration("1 s")}, got 999.`],
    ["TaskflowService", { retention: "soon" }, "/retention", `must be ${duration("1 s")}, got "soon".`],
    ["TaskflowService", { paused: "1" }, "/paused", 'must be true or false, got "1".'],
    [
      "TaskflowService",
      { allowedActions: [] },
      "/allowedActions",
      "must be a list of patterns such as payment.* or !payment.refund, got an array.",
    ],
    [
      "TaskflowService",
      { eventTreeLimit: "4 cups" },
      "/eventTreeLimit",
      'must be a number of bytes, such as 4096 or "4KiB", got "4 cups".',
    ],
    [
      "TaskflowService",
      { store: "mongodb:/u:secret@h" },
      "/store",
      'must be sqlite:<file>, memory:, a mongodb:// or mongodb+srv:// URL, or a store, got "mongodb:…@h".',
    ],
    [
      "TaskflowService",
      { store: {} },
      "/store",
      "must be sqlite:<file>, memory:, a mongodb:// or mongodb+srv:// URL, or a store, got an object.",
    ],
    [
      "TaskflowService",
      { taskTypes: [{ name: "MINE", schema: {} }] },
      "/taskTypes",
      "must be a list of task types, each with a name, a schema and begin(), got an array.",
    ],
    ["TaskflowWorker", { leger: "memory" }, "/leger", 'is unknown: did you mean "ledger"?'],
    ["TaskflowWorker", { keep: 5 }, "/keep", "is unknown. Known names: ledger, keepFor, ledgerLimit."],
    ["TaskflowWorker", { keepFor: 0 }, "/keepFor", `must be ${duration("1 ms")}, got 0.`],
    ["TaskflowWorker", { ledgerLimit: 0.5 }, "/ledgerLimit", "must be a whole number of at least 1, got 0.5."],
    [
      "TaskflowWorker",
      { ledger: "redis://u:secret@h" },
      "/ledger",
      'must be memory, sqlite:<file>, a mongodb:// or mongodb+srv:// URL, or a ledger, got "redis:…@h".',
    ],
    ["TaskflowAdapter", { stoer: "sqlite:a.db" }, "/stoer", 'is unknown: did you mean "store"?'],
    ["TaskflowDb", { stoer: "sqlite:a.db" }, "/stoer", 'is unknown: did you mean "store"?'],
    ["NatsTransporter", { ulr: "nats://bus" }, "/ulr", 'is unknown: did you mean "url"?'],
    ["NatsTransporter", { maxReconnectAttemps: 3 }, "/maxReconnectAttemps", 'is unknown: did you mean "maxReconnectAttempts"?'],
    ["NatsTransporter", { contextInHeaders: "no" }, "/contextInHeaders", 'must be true or false, got "no".'],
    [
      "NatsTransporter",
      { url: "http://u:secret@h" },
      "/url",
      "must be URLs such as nats://host:4222 or tls://user:password@host:4222, separated by commas: number 1 is none.",
    ],
    [
      "NatsTransporter",
      { servers: ["bus", 5] },
      "/servers",
      "must be URLs such as nats://host:4222 or tls://user:password@host:4222, separated by commas: number 2 is none.",
    ],
    ["NatsTransporter", { pass: 1234 }, "/pass", "must be text, got a number."],
    ["NatsTransporter", { port: 70_000 }, "/port", "must be a whole number from 0 to 65535, got 70000."],
    ["NatsTransporter", { tls: true }, "/tls", "must be an object of TLS options, or null, got true."],
    ["NatsTransporter", { authenticator: "u" }, "/authenticator", 'must be an authenticator, or a list of them, got "u".'],
  ])("%s refuses %j", (name, given, path, sentence) => {
    const refusal = refusalOf(() => make[name](given));
    expect(refusal).toMatchObject({
      type: "TASKFLOW_VALIDATION_ERROR",
      message: `The options of ${name} are not valid: ${path} ${sentence}`,
      data: [{ path, message: `${path} ${sentence}` }],
    });
    expect(JSON.stringify(refusal)).not.toMatch(/secret|1234/);
  });

  test.each<[Made]>([["TaskflowService"], ["TaskflowWorker"], ["NatsTransporter"]])("%s requires an object", (name) => {
    for (const given of [null, 5, ["memory:"]]) {
      expect(refusalOf(() => make[name](given as never)).message).toMatch(/options must be an object, got (null|5|an array)\./);
    }
  });

  test("all problems are reported at once, in the message too", () => {
    const { message, data } = refusalOf(() =>
      TaskflowService({ stoer: 1, options: { maxRetrys: 3, timeout: "x" }, lease: 0 } as never),
    );
    expect(data?.map(({ path }) => path)).toEqual(["/stoer", "/options/maxRetrys", "/options/timeout", "/lease"]);
    expect(message.split("\n- ")).toHaveLength(5);
  });

  test("a key of Object.prototype is unknown like any other, and an undefined value counts as absent", () => {
    expect(refusalOf(() => TaskflowWorker(JSON.parse('{"__proto__":1,"constructor":2}') as object)).data).toHaveLength(2);
    expect(() => TaskflowService({ store: undefined, toString: undefined } as never)).not.toThrow();
  });
});

describe("the settings of a service", () => {
  const node = (settings: Given, options: Given = {}): (() => unknown) => {
    const broker = new ServiceBroker({ nodeID: "settings", logger: false, skipProcessEventRegistration: true });
    const schema: ServiceSchema = { name: "taskflow", mixins: [TaskflowService({ store: "memory:", ...options })], settings };
    return () => broker.createService(schema);
  };

  test("take precedence over the options of the factory, and those over the environment and the defaults", () => {
    const service = {
      settings: { limits: { tasks: 7 }, options: { maxRetries: 2 }, lease: "20s" },
    };
    const options = {
      store: "memory:",
      limits: { tasks: 5, stages: 5 },
      options: { maxRetries: 1, timeout: "1s" },
      lease: "15s",
      paused: true,
    };
    const values = settingsOf(service as never, options);
    expect(values).toMatchObject({ limits: { tasks: 7, stages: 5, tags: 50 }, lease: 20_000, paused: true, maxInFlight: 1_000 });
    expect(values.options).toMatchObject({ maxRetries: 2, timeout: 1_000, maxConcurrency: 500, retryDelay: 1_000 });
  });

  test("are validated, and those of other mixins are ignored", () => {
    expect(node({ $noVersionPrefix: true, rest: "/api", limits: { tasks: 7 } })).not.toThrow();
    expect(refusalOf(node({ limts: {}, limits: { tsaks: 7 } })).message).toBe(
      'The settings of the service taskflow are not valid:\n- /limts is unknown: did you mean "limits"?\n- /limits/tsaks is unknown: did you mean "tasks"?',
    );
    expect(refusalOf(node({ options: { maxRetries: 6 } }, { limits: { maxRetries: 5 } })).message).toBe(
      "The options of the service taskflow are not valid: /options/maxRetries must be at most /limits/maxRetries, 5, got 6.",
    );
    expect(refusalOf(node({ store: "memory:" })).message).toContain("/store must be an option of TaskflowService");
  });
});

describe("accepted settings", () => {
  test("NatsTransporter passes on whatever the NATS client knows", () => {
    const authenticator = (): object => ({});
    const given = {
      authenticator: [authenticator],
      reconnectDelayHandler: () => 5,
      tls: null,
      servers: ["a", "tls://b:5"],
      user: "u",
      pass: "p",
      waitOnFirstConnect: true,
      maxPingOut: 3,
      timeout: 7,
    };
    const { servers, ...rest } = given;
    expect(resolveNatsOptions(given as never).connection).toMatchObject({
      ...rest,
      servers: ["a:4222", "b:5"],
      pingInterval: 10_000,
    });
    expect(servers).toHaveLength(2);
  });

  test.each<[string, Table]>([
    ["TaskflowService", SERVICE_SETTINGS],
    ["TaskflowWorker", WORKER_SETTINGS],
    ["NatsTransporter", NATS_SETTINGS],
    ["TaskflowAdapter", ADAPTER_SETTINGS],
    ["limits", LIMITS],
    ["options", OPTIONS],
  ])("the rows of %s have descriptions, and defaults of their kind", (_title, table) => {
    for (const [name, { description, default: value, presence }] of Object.entries(table)) {
      expect([name, description]).toEqual([name, expect.stringMatching(/^(?!.*\.$)["`%A-Z]/)]);
      expect([name, value === undefined]).toEqual([name, presence !== "default"]);
    }
    expect(settingProblems(table, {}, "")).toEqual([]);
    expect(() => valuesOf(table, {})).not.toThrow();
  });
});

describe("one table, two checks", () => {
  const isValid = compileFast(schemaOf(TASK_OPTIONS));
  const isEffective = compileFast(valueSchemaOf(OPTIONS));
  const value = fc.oneof(
    fc.constantFrom<unknown>("5s", "0", "0s", "11y", "-1", "fixed", "linear", "pause", "full", "", true, false, null, {}, []),
    fc.constantFrom<unknown>(
      { type: "fixed" },
      { type: "linear", factor: 0 },
      { factor: 2 },
      { type: "exponential", jitter: true },
    ),
    fc.integer({ min: -3, max: 3 }),
    fc.double(),
    fc.constantFrom(1e6, 1e6 + 1, 315_576_000_000, 315_576_000_001, Number.MAX_SAFE_INTEGER),
  );
  const given = fc.dictionary(fc.constantFrom(...Object.keys(OPTIONS), "maxRetrys"), value, { maxKeys: 4 });

  test("options are validated alike in a definition and as a setting, and the resulting values are valid", () => {
    fc.assert(
      fc.property(given, (options) => {
        // A schema cannot say that two names contradict one another.
        const problems = settingProblems(TASK_OPTIONS, options, "").filter(({ keyword }) => keyword !== "alias");
        expect([options, problems.length === 0]).toEqual([options, isValid(options)]);
        expect(problems.length > 0 || isEffective(valuesOf(OPTIONS, options))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});
