/**
 * The MongoDB that tests use, by the convention of `mongodb-memory-server`:
 *
 * - `TASKFLOW_TEST_MONGO_URL`: a server that runs already. (Tests that kill their server start
 *   one of their own all the same.)
 * - `MONGOMS_SYSTEM_BINARY`: this binary is started.
 * - neither: `mongodb-memory-server` downloads a real mongod once, and keeps it.
 *
 * Where a server was named and cannot be used, the suites fail. Where none was named and none can
 * be had, they are reported as skipped, with the reason.
 */
import { afterAll, beforeAll, describe, it } from "@jest/globals";
import {
  findMongoBinary,
  type MongoServer,
  type OwnedMongoServer,
  START_TIMEOUT_MS,
  startMongo,
  useMongo,
} from "./mongo-process.ts";

export type { MongoServer } from "./mongo-process.ts";

const found = await findMongoBinary();
const binary = "path" in found ? found.path : undefined;
const whyNone = "path" in found ? "" : found.whyNone;

/**
 * A suite on a MongoDB server, which runs before its first test. With `own`, it is this suite's
 * alone and may be killed.
 */
export function describeOnMongo(title: string, body: (server: () => MongoServer) => void, own = false): void {
  if (binary === undefined && (own || process.env.TASKFLOW_TEST_MONGO_URL === undefined)) return reportSkipped(title);
  // oxlint-disable-next-line jest/valid-title -- the caller's title
  describe(title, () => {
    let server: OwnedMongoServer;
    beforeAll(async () => {
      const url = process.env.TASKFLOW_TEST_MONGO_URL;
      server = url === undefined || own ? await startMongo(binary!) : await useMongo(url);
    }, START_TIMEOUT_MS * 2);
    afterAll(async () => server.stop());
    body(() => server);
  });
}

function reportSkipped(title: string): void {
  if (process.env.TASKFLOW_TEST_MONGO_URL !== undefined) {
    it(`${title}: needs a server of its own`, () => {
      throw new Error(whyNone);
    });
    return;
  }
  process.stdout.write(`${title}: skipped, ${whyNone}\n`);
  const { skip: skipped } = describe;
  // oxlint-disable-next-line jest/valid-title -- the reason is the title
  skipped(title, () => it(whyNone, () => undefined));
}
