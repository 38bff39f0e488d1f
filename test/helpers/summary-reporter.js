/**
 * Gives a run one line that scripts can read: `N passed, N failed`, and `, N skipped` where tests were skipped. A test file that
 * could not be run, or that failed outside its tests, counts as one failure. Skipped tests are named above that line.
 */
export default class SummaryReporter {
  onRunComplete(_contexts, results) {
    const skipped = results.testResults.flatMap((file) =>
      file.testResults.filter((test) => test.status === "pending" || test.status === "todo").map((test) => test.fullName),
    );
    for (const name of skipped) console.log(`skipped: ${name}`);
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    console.log(`${results.numPassedTests} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`);
  }
}
