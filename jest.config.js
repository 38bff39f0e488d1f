/** Run by `npm run jest`, which gives Node the flag that ECMAScript modules need: `npm run jest -- test/tidy.test.ts`. */
import { join } from "node:path";

// Tests start hundreds of processes. With this, Node compiles each file for the first of them only.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "node_modules/.cache/node");

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
