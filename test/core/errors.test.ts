import { describe, expect, test } from "@jest/globals";
import { Errors, ServiceBroker } from "moleculer";
import {
  ERRORS,
  ExpectedError,
  PermanentError,
  abortOf,
  isPermanentError,
  isTaskflowError,
  taskflowError,
  type CatalogueEntry,
  type TaskflowErrorType,
} from "../../lib/errors/errors.ts";

const regenerator = new Errors.Regenerator();
regenerator.init(new ServiceBroker({ nodeID: "worker", logger: false }));

/** As a caller on another node receives it. */
function overTheBus(err: Error): Error {
  const plain = regenerator.extractPlainError(err as Errors.PlainMoleculerError, {});
  return regenerator.restore(JSON.parse(JSON.stringify(plain)) as Errors.PlainMoleculerError, { sender: "worker" });
}

const types = Object.keys(ERRORS) as TaskflowErrorType[];

describe("the catalogue", () => {
  test.each(types)("%s has its meaning and remedy as sentences", (type) => {
    const entry: CatalogueEntry = ERRORS[type];
    expect(entry.code).toBeGreaterThanOrEqual(400);
    expect(entry.meaning).toMatch(/^[A-Z].*\.$/);
    expect(entry.whatToDo).toMatch(/^[A-Z`g].*\.$/);
  });

  test("has the codes of the contract", () => {
    const codes: Partial<Record<TaskflowErrorType, number>> = {
      TASKFLOW_VALIDATION_ERROR: 422,
      TASKFLOW_NOT_FOUND: 404,
      STAGE_NOT_FOUND: 404,
      TASK_NOT_FOUND: 404,
      NESTING_TOO_DEEP: 422,
      TASKFLOW_WAIT_TIMEOUT: 408,
      TASKFLOW_ALREADY_FINISHED: 409,
      TASKFLOW_NOT_RETRYABLE: 409,
      TASKFLOW_EXACTLY_ONCE: 409,
      TASKFLOW_CONFLICT: 409,
      TASKFLOW_NOT_FINISHED: 409,
      TASK_RUNNING: 409,
      TASK_NOT_ACTIVE: 409,
      PARENT_TASK_NOT_RUNNING: 409,
      TASKFLOW_OVERLOADED: 503,
      STORE_UNAVAILABLE: 503,
      TASKFLOW_READ_ONLY: 405,
      TASKFLOW_UNREADABLE: 500,
    };
    const actions = types.filter((type) => ERRORS[type].kind === "action");
    expect(Object.fromEntries(actions.map((type) => [type, ERRORS[type].code]))).toEqual(codes);
  });
});

describe("over the bus", () => {
  test.each(types)("%s keeps code, type, data and retryable", (type) => {
    const err = taskflowError(type, "A sentence.", [{ path: "/a" }]);
    const entry: CatalogueEntry = ERRORS[type];
    const arrived = overTheBus(err);
    expect(arrived).toMatchObject({ message: "A sentence.", code: entry.code, type, data: [{ path: "/a" }] });
    expect(arrived).toHaveProperty("retryable", entry.retryable === true);
    expect(isTaskflowError(arrived)).toBe(true);
    expect(isTaskflowError(arrived, type)).toBe(true);
    expect(isTaskflowError(arrived, type === "TASK_TIMEOUT" ? "WORKER_LOST" : "TASK_TIMEOUT")).toBe(false);
  });

  test("PermanentError and derived classes stay permanent and keep their data", () => {
    class CardDeclined extends PermanentError {}
    for (const err of [new PermanentError("No.", { card: 1 }), new CardDeclined("No.", { card: 1 })]) {
      expect(isPermanentError(err)).toBe(true);
      expect(isPermanentError(overTheBus(err))).toBe(true);
      expect(overTheBus(err)).toMatchObject({ name: err.name, data: { card: 1 } });
    }
  });

  test("ExpectedError keeps abort and its data", () => {
    expect(abortOf(overTheBus(new ExpectedError("Sold out.")))).toBe("task");
    const whole = overTheBus(new ExpectedError("Sold out.", "workflow", { item: 5 }));
    expect(abortOf(whole)).toBe("workflow");
    expect(whole).toMatchObject({ name: "ExpectedError", data: { item: 5 } });
    expect(isPermanentError(whole)).toBe(true);
    expect(abortOf(overTheBus(new Error("x")))).toBeUndefined();
  });
});

describe("whether another attempt may help", () => {
  test.each<[string, unknown, boolean]>([
    ["a plain error", new Error("x"), false],
    ["a Moleculer error", new Errors.MoleculerError("x", 500, "X"), false],
    ["a client error", new Errors.MoleculerClientError("x", 404, "X"), true],
    ["a validation error", new Errors.ValidationError("x", "X", {}), true],
    ["a request timeout 408", new Errors.MoleculerClientError("x", 408, "X"), false],
    ["too early 425", new Errors.MoleculerClientError("x", 425, "X"), false],
    ["too many requests 429", new Errors.MoleculerClientError("x", 429, "X"), false],
    ["a service not found below the handler", new Errors.ServiceNotFoundError({ action: "a.b" }), false],
    ["an error with a code of Node", Object.assign(new Error("x"), { code: "ECONNREFUSED" }), false],
    ["text", "x", false],
    ["null", null, false],
  ])("permanence of %s", (_title, err, permanent) => {
    expect(isPermanentError(err)).toBe(permanent);
    expect(isPermanentError(err instanceof Error ? overTheBus(err) : err)).toBe(permanent);
  });

  test("any other value is not an error of the catalogue", () => {
    for (const value of [null, undefined, "TASK_TIMEOUT", 5, {}, { type: 5 }, { type: "toString" }, new Error("x")]) {
      expect(isTaskflowError(value)).toBe(false);
    }
    expect(isTaskflowError({ type: "TASK_TIMEOUT", name: "x", message: "x", code: 504 })).toBe(true);
  });
});
