/** A minute of `npm run chaos`: real processes that are killed, frozen and cut off, and a check of every taskflow afterwards. */
import { expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chaos } from "../chaos/chaos.ts";
import { report } from "../chaos/report.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";

const SECONDS = 60;

describeOnMongo(
  "a minute of chaos",
  (mongo) => {
    test("loses nothing, leaves nothing stuck and repeats nothing that must not be repeated", async () => {
      // Kept where something is wrong: it holds the logs of all processes.
      const folder = mkdtempSync(join(tmpdir(), "taskflow-chaos-"));
      const seed = Date.now() % 1_000_000;
      const result = await chaos({ seconds: SECONDS, seed, rate: 20, maxInFlight: 60, mongo: mongo(), folder });
      const told = report(result);
      process.stdout.write(`${told}\n`);
      if (result.violations.length > 0) throw new Error(told);
      expect(result.flows).toBeGreaterThan(100);
      expect(result.subscriptions).toBeGreaterThan(10);
      rmSync(folder, { recursive: true, force: true });
    }, 300_000);
  },
  true,
);
