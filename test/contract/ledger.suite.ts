/**
 * What every ledger owes the worker (`lib/worker/ledger/ledger.ts`), as tests. Each kind runs all
 * of it: `describeLedger("sqlite", …)`.
 */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Ledger } from "../../lib/worker/ledger/ledger.ts";
import { uniqueName } from "../helpers/unique.ts";

export interface LedgerUnderTest {
  /** New and empty, not open. */
  readonly ledger: Ledger;
  /** Another one over what that one has kept; absent where nothing outlives it. */
  readonly again?: () => Ledger;
}

/** Longer ago than any of these ledgers has been there. */
const LONG_AGO = 3_600_000;

export function describeLedger(name: string, make: () => LedgerUnderTest | Promise<LedgerUnderTest>): void {
  describe(`the ledger ${name}`, () => {
    let made: LedgerUnderTest;
    let ledger: Ledger;
    let key: string;
    beforeEach(async () => {
      made = await make();
      ({ ledger } = made);
      await ledger.open();
      key = `${uniqueName("flow")}:task:0`;
    });
    afterEach(async () => ledger.close());

    const begin = (delivery = 1, instance = "a", retake?: string): ReturnType<Ledger["begin"]> =>
      ledger.begin(key, { delivery, instance, ...(retake === undefined ? {} : { retake }) });

    describe("for deliveries", () => {
      it("lets the first one begin, and tells the others who runs it", async () => {
        expect(await begin(1, "a")).toEqual({ kind: "new" });
        expect(await begin(1, "b")).toEqual({ kind: "running", instance: "a" });
        expect(await begin(2, "a")).toEqual({ kind: "running", instance: "a" });
        expect(await ledger.begin(`${key}0`, { delivery: 1, instance: "b" })).toEqual({ kind: "new" });
      });

      it("answers the outcome once there is one, exactly as it was", async () => {
        await begin();
        const outcome = JSON.stringify({ ok: true, response: { __proto__: 1, "ä\u2028": "🚀\u0000" } });
        expect(await ledger.finish(key, outcome)).toEqual({ outcome, asked: false });
        expect(await begin(2)).toEqual({ kind: "done", outcome });
        expect(await begin(1, "b")).toEqual({ kind: "done", outcome });
        expect(await ledger.ask(key, 2, LONG_AGO)).toEqual({ kind: "done", outcome });
      });

      it("keeps the first of two outcomes", async () => {
        await begin();
        await ledger.finish(key, "1");
        expect(await ledger.finish(key, "2")).toEqual({ outcome: "1", asked: false });
        expect(await begin(2)).toEqual({ kind: "done", outcome: "1" });
      });

      it("lets one of many replace a run that was interrupted", async () => {
        await begin(1, "dead");
        const answers = await Promise.all(["a", "b", "c", "d"].map((instance) => begin(2, instance, "dead")));
        expect(answers.filter(({ kind }) => kind === "new")).toHaveLength(1);
        const winner = ["a", "b", "c", "d"][answers.findIndex(({ kind }) => kind === "new")];
        const running = { kind: "running", instance: winner };
        expect(answers.filter(({ kind }) => kind === "running")).toEqual([running, running, running]);
        expect(await begin(3, "e", "dead")).toEqual({ kind: "running", instance: winner });
      });

      it("lets one of many that come at once begin", async () => {
        const answers = await Promise.all(["a", "b", "c", "d", "e", "f", "g", "h"].map((instance) => begin(1, instance)));
        expect(answers.filter(({ kind }) => kind === "new")).toHaveLength(1);
      });
    });

    describe("for questions", () => {
      it("says never of what has not begun, and refuses it from then on to deliveries up to that one", async () => {
        expect(await ledger.ask(key, 2, 0)).toEqual({ kind: "never" });
        expect(await begin(1)).toEqual({ kind: "refused" });
        expect(await begin(2)).toEqual({ kind: "refused" });
        expect(await ledger.ask(key, 1, 0)).toEqual({ kind: "never" });
        expect(await begin(2)).toEqual({ kind: "refused" });
        expect(await begin(3)).toEqual({ kind: "new" });
        expect(await ledger.ask(key, 3, 0)).toEqual({ kind: "running", instance: "a" });
      });

      it("does not say never of what may have been before its time, and refuses it all the same", async () => {
        expect(await ledger.ask(key, 1, LONG_AGO)).toEqual({ kind: "unknown" });
        expect(await ledger.ask(key, 2, LONG_AGO)).toEqual({ kind: "unknown" });
        expect(await begin(2)).toEqual({ kind: "refused" });
        expect(await begin(3)).toEqual({ kind: "new" });
      });

      it("tells who runs it, and at the end that somebody has asked", async () => {
        await begin(1, "a");
        expect(await ledger.ask(key, 1, LONG_AGO)).toEqual({ kind: "running", instance: "a" });
        expect(await begin(2, "b")).toEqual({ kind: "running", instance: "a" });
        expect(await ledger.finish(key, "1")).toEqual({ outcome: "1", asked: true });
      });

      it("lets either the question or the delivery win, never both", async () => {
        for (let round = 0; round < 10; round++) {
          const one = `${key}${round}`;
          const [asked, begun] = await Promise.all([ledger.ask(one, 1, 0), ledger.begin(one, { delivery: 1, instance: "a" })]);
          expect([asked.kind, begun.kind]).toEqual(begun.kind === "new" ? ["running", "new"] : ["never", "refused"]);
        }
      });
    });

    it("knows after it was opened again what it had acknowledged", async () => {
      const { again } = made;
      if (!again) return;
      await begin(1, "dead");
      await ledger.begin("f:done:0", { delivery: 1, instance: "dead" });
      await ledger.finish("f:done:0", '{"ok":true}');
      await ledger.ask("f:never:0", 1, 0);
      await ledger.close();
      ledger = again();
      await ledger.open();
      expect(await begin(2, "b")).toEqual({ kind: "running", instance: "dead" });
      expect(await ledger.begin("f:done:0", { delivery: 2, instance: "b" })).toEqual({ kind: "done", outcome: '{"ok":true}' });
      expect(await ledger.begin("f:never:0", { delivery: 1, instance: "b" })).toEqual({ kind: "refused" });
      // It was there when this attempt was sent, before it was opened again.
      expect(await ledger.ask("f:other:0", 1, 0)).toEqual({ kind: "never" });
    });

    it("rejects what is asked of it when it is not open, and closes twice", async () => {
      if (!ledger.isDurable) return;
      await ledger.close();
      await ledger.close();
      await expect(begin()).rejects.toThrow(/not open|closed/);
    });

    it("never lets a handler begin twice, whatever is done in whatever order", async () => {
      const step = fc.oneof(
        fc.record({ do: fc.constant("begin" as const), delivery: fc.integer({ min: 1, max: 4 }) }),
        fc.record({ do: fc.constant("ask" as const), delivery: fc.integer({ min: 1, max: 4 }) }),
        fc.record({ do: fc.constant("finish" as const), delivery: fc.constant(0) }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          const one = `${uniqueName("flow")}:task:0`;
          const wrong: unknown[] = [];
          let runs = 0;
          let refused = 0;
          let outcome: string | undefined;
          for (const { do: what, delivery } of steps) {
            if (what === "begin") {
              const { kind } = await ledger.begin(one, { delivery, instance: "a" });
              const expected = outcome !== undefined ? "done" : runs > 0 ? "running" : delivery <= refused ? "refused" : "new";
              if (kind !== expected) wrong.push({ what, delivery, kind, expected });
              if (kind === "new") runs++;
            } else if (what === "ask") {
              const { kind } = await ledger.ask(one, delivery, 0);
              const expected = outcome !== undefined ? "done" : runs > 0 ? "running" : "never";
              if (kind !== expected) wrong.push({ what, delivery, kind, expected });
              if (kind === "never") refused = Math.max(refused, delivery);
            } else if (runs > 0) {
              const finished = await ledger.finish(one, String(delivery));
              outcome ??= finished.outcome;
              if (finished.outcome !== outcome) wrong.push({ what, delivery, finished, outcome });
            }
          }
          expect(wrong).toEqual([]);
          expect(runs).toBeLessThanOrEqual(1);
        }),
        { numRuns: 30 },
      );
    });
  });
}
