/** Lines about failures that repeat: one a minute, with the number of those that it stands for. */
import { describe, expect, jest, test } from "@jest/globals";
import { OutageLog } from "../../lib/util/outage-log.ts";
import { steadyLogger } from "../../lib/util/steady-logger.ts";

describe("a failure that repeats", () => {
  const outage = new Error("the disk is full");
  const heard = (): { lines: string[]; time: { now: number }; logger: ReturnType<typeof steadyLogger> } => {
    const lines: string[] = [];
    const time = { now: 0 };
    const add = (...args: unknown[]): void => void lines.push(String(args[0]));
    return {
      lines,
      time,
      logger: steadyLogger(
        { info: add, warn: add, error: add },
        (error) => error === outage,
        () => time.now,
      ),
    };
  };

  test("is one line a minute, whatever taskflow it is about, and the next line tells how many it stands for", () => {
    const { lines, time, logger } = heard();
    for (let second = 0; second < 150; second++) {
      time.now = second * 1_000;
      logger.warn(`Taskflow f-${second} cannot be read; trying again.`, outage);
      logger.error(`A commit of ${second} taskflows failed; they are read back.`, outage);
    }
    expect(lines).toEqual([
      "Taskflow f-0 cannot be read; trying again.",
      "A commit of 0 taskflows failed; they are read back.",
      "Taskflow f-60 cannot be read; trying again. (59 more since the last such line)",
      "A commit of 60 taskflows failed; they are read back. (59 more since the last such line)",
      "Taskflow f-120 cannot be read; trying again. (59 more since the last such line)",
      "A commit of 120 taskflows failed; they are read back. (59 more since the last such line)",
    ]);
  });

  test("leaves all other lines alone", () => {
    const { lines, logger } = heard();
    for (let n = 0; n < 3; n++) {
      logger.error("Taskflow f is damaged in the store and is set aside.", new RangeError("no JSON"));
      logger.warn("Taskflow f was changed by another coordinator.");
      logger.info("It works again.");
    }
    expect(lines).toHaveLength(9);
  });

  test("of a store that fails and works in turns is logged once a minute, and its end only if its beginning was", () => {
    const lines: string[] = [];
    const clock = jest.spyOn(performance, "now");
    const log = new OutageLog({ warn: (line) => void lines.push(line), info: (line) => void lines.push(line) });
    for (let second = 0; second < 70; second += 10) {
      clock.mockReturnValue(1_000_000 + second * 1_000);
      log.failed("It fails.");
      log.failed("It fails.");
      log.works("It works.");
      log.works("It works.");
    }
    clock.mockRestore();
    expect(lines).toEqual([
      "It fails.",
      "It works.",
      "It fails. It has failed 5 more times since the last such line.",
      "It works.",
    ]);
  });
});
