/**
 * The service `taskflow-db`: the reading actions of moleculer-db over the taskflows of a store. It
 * takes from moleculer-db's mixin by name, so that no action that writes is ever published.
 */
import type { ActionSchema, Context, Service, ServiceSchema, ServiceSettingSchema } from "moleculer";
import type { DbServiceSettings } from "moleculer-db";
import { loadPeer } from "../adapters/system/peer-package.ts";
import { checkSettings } from "../config/settings.ts";
import { describeValue } from "../util/describe-value.ts";
import { sleep } from "../util/timer.ts";
import { TaskflowAdapter } from "./adapter.ts";
import { invalidFilter } from "./fields.ts";
import { ADAPTER_SETTINGS, type TaskflowAdapterOptions } from "./settings.ts";

/** What the factory of the service takes. */
export type TaskflowDbOptions = TaskflowAdapterOptions;

/** Rows that `find` answers when its caller sets no limit, and at most. */
const MAX_LIMIT = 1_000;
/** A coordinator in the same process may be making the store at the same moment. */
const START_MS = 10_000;
const RETRY_MS = 200;

/** A service with moleculer-db's mixin. */
type DbService = Service & { connect(): Promise<void> };

type SanitizeParams = (this: Service, ctx: Context, params: object) => { limit?: number };

/**
 * Factory of the service's schema, for `broker.createService(TaskflowDb({ store }))` or as a
 * mixin. Its actions `find`, `list`, `count` and `get` are those of moleculer-db, uncached;
 * `taskflowId` is their id field. Its start fails if the store cannot be opened within 10 s.
 *
 * @throws TASKFLOW_VALIDATION_ERROR for options that are wrong, Error with the line that installs
 * a missing moleculer-db
 */
export function TaskflowDb(options: TaskflowDbOptions = {}): ServiceSchema {
  checkSettings("The options of TaskflowDb", ADAPTER_SETTINGS, options);
  const { actions = {}, started: _retriesForEver, ...mixin } = loadPeer("moleculer-db", "TaskflowDb");
  const sanitizeParams = mixin.methods?.["sanitizeParams"] as SanitizeParams;
  // What others write would not clear a cache here.
  const readers = ["find", "list", "count", "get"].map((name): [string, ActionSchema] => [
    name,
    { ...(actions[name] as ActionSchema), cache: false },
  ]);
  const schema: ServiceSchema & { adapter: TaskflowAdapter } = {
    name: "taskflow-db",
    mixins: [{ ...mixin, actions: Object.fromEntries<ActionSchema>(readers) }],
    adapter: new TaskflowAdapter(options),
    settings: { idField: "taskflowId", maxLimit: MAX_LIMIT } satisfies DbServiceSettings as ServiceSettingSchema,
    methods: {
      sanitizeParams(this: Service, ctx: Context, params: { query?: unknown }) {
        const sane = sanitizeParams.call(this, ctx, { ...params, query: readQuery(params.query) });
        const { maxLimit = 0 } = this.settings as DbServiceSettings;
        return maxLimit > 0 && !sane.limit ? { ...sane, limit: maxLimit } : sane;
      },
    },
    started(this: Service) {
      return connect(this as DbService);
    },
  };
  return schema;
}

/** A query may be JSON text, as in a URL. */
function readQuery(query: unknown): unknown {
  if (typeof query !== "string") return query;
  try {
    return JSON.parse(query);
  } catch {
    throw invalidFilter("/query", `must be JSON, got ${describeValue(query)}`);
  }
}

async function connect(service: DbService): Promise<void> {
  const deadline = performance.now() + START_MS;
  for (;;) {
    try {
      await service.connect();
      return;
    } catch (error) {
      if (performance.now() + RETRY_MS >= deadline) throw error;
    }
    await sleep(RETRY_MS);
  }
}
