/** The options of `TaskflowAdapter` and `TaskflowDb`: declared here and nowhere else. */
import type { Kind } from "../util/kind.ts";
import { type GivenOf, setting } from "../util/setting.ts";

const STORE_URL = /^(sqlite:(?!:memory:$).|mongodb(\+srv)?:\/\/.)/;

/** Only its coordinator can see the content of `memory:`. */
const sharedStore: Kind<string> = {
  expects: "sqlite:<file> or mongodb://<host>/<database> (only files and servers can be read from outside)",
  schema: { type: "string", pattern: STORE_URL.source },
  read: (given) => (typeof given === "string" && STORE_URL.test(given) ? given : undefined),
};

export const ADAPTER_SETTINGS = {
  store: setting(sharedStore, {
    default: "sqlite:./data/taskflow.db",
    variable: "TASKFLOW_STORE",
    description: "The URL that the coordinators have: `sqlite:<file>` or `mongodb://…`",
  }),
};

/** The options of `TaskflowAdapter`. */
export type TaskflowAdapterOptions = GivenOf<typeof ADAPTER_SETTINGS>;
