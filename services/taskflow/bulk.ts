/**
 * The action `bulk`: logs its progress, and emits it as the Moleculer event
 * `taskflow.bulk.progress`.
 */
import { v7 } from "uuid";
import type { CommandResult } from "../../lib/core/model/command.ts";
import { type BulkProgress, runBulk, commandOf, matchesOf } from "../../lib/coordinator/operations/bulk.ts";
import { taskflowError } from "../../lib/errors/errors.ts";
import type { ActionAnswers, ActionParams } from "../../schemas/actions/index.ts";
import { deleteTaskflow } from "../../lib/coordinator/operations/delete.ts";
import type { Call } from "./action.ts";
import { listQuery } from "./list-query.ts";
import type { Engine } from "./engine.ts";

const PROGRESS = "taskflow.bulk.progress";

export async function bulk(
  engine: Engine,
  params: ActionParams["bulk"],
  { service: { broker, logger } }: Call,
): Promise<ActionAnswers["bulk"]> {
  const { store, coordinator, clock } = engine;
  const { action, dryRun } = params;
  const filter = listQuery(engine, params.filter);
  if (dryRun) {
    const page = await store.list({ ...filter, pageSize: 1 });
    return { dryRun: true, matched: matchesOf(page), counts: page.counts };
  }
  const bulkId = v7();
  const command = commandOf(action, params);
  const act = async (taskflowId: string): Promise<CommandResult> => {
    if (command) return coordinator.command(taskflowId, { command });
    return { ok: true, data: await deleteTaskflow(engine, { taskflowId }) };
  };
  const tell = (progress: Readonly<BulkProgress>, finished: boolean): void => {
    const { matched, done, skipped, failed } = progress;
    const failures = Object.values(failed).reduce((sum, count) => sum + count, 0);
    logger.info(`Bulk ${action} ${bulkId}: of ${matched} taskflows ${done} done, ${skipped} skipped, ${failures} failed.`);
    void broker.emit(PROGRESS, { bulkId, action, ...structuredClone(progress), finished }).catch(() => {});
  };
  const isOver = (): boolean => coordinator.isDraining;
  const work = { list: store.list.bind(store), act, progress: (progress: BulkProgress) => tell(progress, false), isOver };
  const counts = await runBulk(action, filter, clock.now() + 1, work);
  if (isOver()) {
    const message = `This coordinator shuts down: the ${action} was carried out for ${counts.done} of ${counts.matched} taskflows. Send it again.`;
    throw taskflowError("TASKFLOW_OVERLOADED", message, { retryAfter: 1, ...counts });
  }
  tell(counts, true);
  return { bulkId, ...counts };
}
