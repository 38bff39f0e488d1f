import type { TaskflowClient, TaskflowDetails, TaskflowEvent } from "../../lib/index.ts";
import { Progress } from "./progress.ts";
import type { Screen } from "./screen.ts";

/**
 * Shows a taskflow from its first event to its last, then how it ended.
 * @param watch is called with each event, before it is shown
 */
export async function follow(
  client: TaskflowClient,
  taskflowId: string,
  screen: Screen,
  watch: (progress: Progress, event: TaskflowEvent) => void = () => undefined,
): Promise<TaskflowDetails> {
  const progress = new Progress(await client.getTaskflowDetails(taskflowId));
  const finished = Promise.withResolvers<undefined>();
  screen.begin(progress);
  const subscription = await client.subscribeToTaskflowEvents(taskflowId, (event) => {
    progress.apply(event);
    watch(progress, event);
    screen.tell(event);
    if (progress.isFinished) finished.resolve(undefined);
  });
  await finished.promise;
  subscription.unsubscribe();
  screen.end();
  const details = await client.getTaskflowDetails(taskflowId);
  screen.summary(details);
  return details;
}

/** Devices that are in the group: enough of them are "the middle of the second stage". */
export function devicesDone(progress: Progress): number {
  const devices = [...progress.stages.values()].at(-1)?.tasks.values() ?? [];
  return [...devices].filter(({ status }) => status === "SUCCESS").length;
}
