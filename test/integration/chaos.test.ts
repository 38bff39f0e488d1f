/**
 * Kills, freezes and outages among real processes. What is promised about time is measured by
 * `npm run chaos`, on a machine that has nothing else to do; what must hold on any machine is
 * held here.
 */
import { expect, test } from "@jest/globals";
import { chaos } from "../chaos/chaos.ts";
import { report } from "../chaos/report.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { runs } from "../helpers/runs.ts";
import { tempFolder } from "../helpers/temp.ts";

describeOnMongo(
  "two coordinators and three workers, of which something is struck all the time",
  (mongo) => {
    test("nothing is lost, stuck, ended twice or run twice under exactly once; what failed says why", async () => {
      const options = {
        seconds: runs(20, 60),
        seed: Date.now() % 1_000_000,
        rate: 15,
        maxInFlight: 40,
        mongo: mongo(),
        folder: tempFolder(),
      };
      const result = await chaos(options);
      // The figures, and the seed, for whoever reads a failure.
      const told = report(result);
      process.stdout.write(`${told}\n`);
      expect(result.violations).toEqual([]);
      expect(result.kills["SIGKILL of NATS"]).toBeGreaterThan(0);
      // However busy the machine: something was under way when it was struck.
      expect(result.flows).toBeGreaterThan(20);
      expect(result.executions).toBeGreaterThan(result.flows / 2);
    }, 600_000);
  },
  true,
);
