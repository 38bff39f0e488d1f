import { relative } from "node:path";

const SLOWEST = 10;

/**
 * Gives a run one line that scripts can read: `N passed, N failed`, and `, N skipped` where tests were
 * skipped. A test file that could not be run, or that failed outside its tests, counts as one failure.
 * Skipped tests, and the slowest suites of a run of many, are named above that line.
 */
export default class SummaryReporter {
  onRunComplete(_contexts, results) {
    const suites = results.testResults.map(({ testFilePath, perfStats }) => ({ testFilePath, ms: perfStats?.runtime ?? 0 }));
    if (suites.length > SLOWEST) {
      const sum = suites.reduce((total, { ms }) => total + ms, 0);
      console.log(`${suites.length} suites, ${Math.round(sum / 1000)} s in all. The slowest:`);
      for (const { testFilePath, ms } of suites.toSorted((one, other) => other.ms - one.ms).slice(0, SLOWEST))
        console.log(`${(ms / 1000).toFixed(1).padStart(8)} s  ${relative(process.cwd(), testFilePath)}`);
    }
    const skipped = results.testResults.flatMap((file) =>
      file.testResults.filter((test) => test.status === "pending" || test.status === "todo").map((test) => test.fullName),
    );
    for (const name of skipped) console.log(`skipped: ${name}`);
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    console.log(`${results.numPassedTests} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`);
  }
}
