/**
 * True in `npm run test:long`, which does all that random tests have to do. `npm test` does a
 * part of it.
 */
export const IS_LONG = process.env.TASKFLOW_TEST_LONG !== undefined;

/** How often a random test runs: in `npm test`, and in `npm run test:long`. */
export const runs = (usual: number, long: number): number => (IS_LONG ? long : usual);
