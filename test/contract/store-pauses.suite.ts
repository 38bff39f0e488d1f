/** What every store owes to those who pause actions. */
import { describe, expect, it } from "@jest/globals";
import type { PauseRule } from "../../lib/ports/store.ts";
import type { OpenStore } from "./store.suite.ts";

const rule = (pattern: string, since: number, more: Partial<PauseRule> = {}): PauseRule => ({
  pattern,
  reason: null,
  since,
  coordinator: null,
  ...more,
});

export function describePauses(under: OpenStore): void {
  describe("for rules that pause actions", () => {
    it("keeps them, oldest first, one for each pattern and coordinator", async () => {
      const { store } = under;
      expect(await store.pauseRules()).toEqual([]);
      await store.addPauseRule(rule("b.*", 2, { reason: "a \ud800 reason\0" }));
      await store.addPauseRule(rule("**", 3, { coordinator: "node-1" }));
      await store.addPauseRule(rule("a.**", 1));
      await store.addPauseRule(rule("a.**", 4, { reason: "again" }));
      expect(await store.pauseRules()).toEqual([
        rule("b.*", 2, { reason: "a \ud800 reason\0" }),
        rule("**", 3, { coordinator: "node-1" }),
        rule("a.**", 4, { reason: "again" }),
      ]);
    });

    it("removes those of exactly this pattern, or of one coordinator only", async () => {
      const { store } = under;
      const all = [rule("**", 1), rule("**", 2, { coordinator: "a" }), rule("**", 3, { coordinator: "b" }), rule("x.*", 4)];
      for (const each of all) await store.addPauseRule(each);
      expect(await store.removePauseRules("**", "a")).toBe(1);
      expect(await store.removePauseRules("**", "a")).toBe(0);
      expect(await store.pauseRules()).toEqual([all[0], all[2], all[3]]);
      expect(await store.removePauseRules("**")).toBe(2);
      expect(await store.removePauseRules("x.y")).toBe(0);
      expect(await store.pauseRules()).toEqual([all[3]]);
    });

    it("has them still when it is opened again", async () => {
      await under.store.addPauseRule(rule("a.*", 1));
      await under.store.close();
      const again = under.again();
      if (!again) return;
      await again.open();
      expect(await again.pauseRules()).toEqual([rule("a.*", 1)]);
      await again.close();
    });

    it("says STORE_UNAVAILABLE once it is closed", async () => {
      const { store } = under;
      await store.close();
      for (const call of [() => store.pauseRules(), () => store.addPauseRule(rule("a", 1)), () => store.removePauseRules("a")]) {
        await expect(call()).rejects.toMatchObject({ type: "STORE_UNAVAILABLE" });
      }
    });
  });
}
