import { describe, expect, test } from "@jest/globals";
import { BROKER_SETTINGS } from "../../lib/config/broker-settings.ts";
import { ENVIRONMENT, readEnvironment } from "../../lib/config/environment.ts";
import { SERVICE_SETTINGS } from "../../lib/config/service-settings.ts";
import { valuesOf } from "../../lib/util/setting.ts";

type Variables = Record<string, string>;
const read = (env: Variables) => valuesOf(ENVIRONMENT, readEnvironment(ENVIRONMENT, env));

describe("an environment variable", () => {
  test.each<[Variables, object]>([
    [{}, { paused: false, lease: 10_000, eventTreeLimit: 4_096, allowedActions: ["**"], logLevel: "info" }],
    [{ TASKFLOW_PAUSED: "" }, { paused: false }],
    [{ TASKFLOW_PAUSED: "0" }, { paused: false }],
    [{ TASKFLOW_PAUSED: "false" }, { paused: false }],
    [{ TASKFLOW_PAUSED: "1" }, { paused: true }],
    [{ TASKFLOW_PAUSED: " TRUE " }, { paused: true }],
    [{ TASKFLOW_LEASE: "1500" }, { lease: 1_500 }],
    [{ TASKFLOW_RETENTION: "30d" }, { retention: 2_592_000_000 }],
    [{ TASKFLOW_EVENT_TREE_LIMIT: "2 KiB" }, { eventTreeLimit: 2_048 }],
    [{ TASKFLOW_ALLOWED_ACTIONS: "payment.*, !payment.refund," }, { allowedActions: ["payment.*", "!payment.refund"] }],
    [
      { NATS_URL: "nats://ada:secret@bus:4222,bus2", NODE_ID: "c1" },
      { natsUrl: "nats://ada:secret@bus:4222,bus2", nodeID: "c1" },
    ],
  ])("is read: %j", (env, expected) => {
    expect(read(env)).toMatchObject(expected);
  });

  test.each<[Variables, string]>([
    [{ TASKFLOW_PAUSED: "yes!" }, 'TASKFLOW_PAUSED must be true or false, got "yes!".'],
    [{ TASKFLOW_LEASE: "0" }, 'TASKFLOW_LEASE must be a duration from 1 s to 10 years, such as 5000 (ms) or "5s", got "0".'],
    [
      { TASKFLOW_RETENTION: "30 moons" },
      'TASKFLOW_RETENTION must be a duration from 1 s to 10 years, such as 5000 (ms) or "5s", got "30 moons".',
    ],
    [
      { TASKFLOW_EVENT_TREE_LIMIT: "-1" },
      'TASKFLOW_EVENT_TREE_LIMIT must be a number of bytes, such as 4096 or "4KiB", got "-1".',
    ],
    [
      { TASKFLOW_ALLOWED_ACTIONS: "," },
      'TASKFLOW_ALLOWED_ACTIONS must be a list of patterns such as payment.* or !payment.refund, got ",".',
    ],
    [
      { TASKFLOW_STORE: "redis://u:secret@h" },
      'TASKFLOW_STORE must be sqlite:<file>, memory:, a mongodb:// or mongodb+srv:// URL, or a store, got "redis:…@h".',
    ],
    [
      { NATS_URL: "http://ada:secret@bus" },
      "NATS_URL must be URLs such as nats://host:4222 or tls://user:password@host:4222, separated by commas: number 1 is none.",
    ],
    [{ LOG_LEVEL: "verbose" }, 'LOG_LEVEL must be "fatal", "error", "warn", "info", "debug" or "trace", got "verbose".'],
    [{ TASKFLOW_LEESE: "5s" }, 'TASKFLOW_LEESE is unknown: did you mean "TASKFLOW_LEASE"?'],
  ])("is refused under its name: %j", (env, sentence) => {
    expect(() => read(env)).toThrow(
      expect.objectContaining({
        type: "TASKFLOW_VALIDATION_ERROR",
        message: `The environment variables are not valid: ${sentence}`,
        data: [expect.objectContaining({ path: `/${Object.keys(env)[0]}`, message: sentence })],
      }),
    );
  });

  test("that is unknown and resembles none is refused with the known names", () => {
    expect(() => read({ TASKFLOW_COLOUR: "1" })).toThrow(/TASKFLOW_COLOUR is unknown. Known names: .*TASKFLOW_STORE/);
  });

  test("all problems are reported at once", () => {
    const env = { TASKFLOW_LEESE: "5s", TASKFLOW_PAUSED: "maybe", LOG_LEVEL: "loud" };
    expect(() => read(env)).toThrow(/not valid:\n- TASKFLOW_LEESE .*\n- LOG_LEVEL .*\n- TASKFLOW_PAUSED /);
  });

  test("of a broker does not affect a service in another broker", () => {
    expect(readEnvironment(SERVICE_SETTINGS, { LOG_LEVEL: "loud", NATS_URL: "none" })).toEqual({});
    expect(() => readEnvironment(BROKER_SETTINGS, { LOG_LEVEL: "loud" })).toThrow(/LOG_LEVEL/);
  });

  test("that Kubernetes or Docker sets for a service named taskflow is ignored", () => {
    const env = {
      TASKFLOW_SERVICE_HOST: "10.0.0.1",
      TASKFLOW_API_SERVICE_PORT: "3000",
      TASKFLOW_API_SERVICE_PORT_HTTP: "3000",
      TASKFLOW_PORT: "tcp://10.0.0.1:3000",
      TASKFLOW_PORT_3000_TCP: "tcp://10.0.0.1:3000",
      TASKFLOW_PORT_3000_TCP_ADDR: "10.0.0.1",
    };
    expect(() => read(env)).not.toThrow();
    expect(() => read({ TASKFLOW_PORT: "3000" })).toThrow(/TASKFLOW_PORT is unknown/);
  });
});
