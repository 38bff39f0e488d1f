/** Run by `npm run test:long`: the same suites, with all that they have to do (`test/helpers/runs.ts`). */
import config from "./jest.config.js";

process.env.TASKFLOW_TEST_LONG = "yes";

export default config;
