/** Run by `npm run jest`, which gives Node the flag that ECMAScript modules need: `npm run jest -- test/tidy.test.ts`. */
export default {
  testEnvironment: "node",
  roots: ["<rootDir>/test"],
  testMatch: ["**/*.test.ts"],
  extensionsToTreatAsEsm: [".ts"],
  moduleFileExtensions: ["ts", "js", "json", "node"],
  transform: {
    "^.+\\.ts$": ["@swc/jest", { jsc: { target: "es2024", parser: { syntax: "typescript" } }, module: { type: "es6" } }],
  },
  // Suites start servers and processes of their own: more at a time than this only makes them wait for one another.
  maxWorkers: 2,
  testTimeout: 120_000,
  reporters: ["default", "<rootDir>/test/helpers/summary-reporter.js"],
};
