/** Params and answers of the client's methods, made of the catalogue's. */
import type { ActionAnswers, ActionParams, PublicAction } from "../../schemas/actions/index.ts";
import type { TaskflowExport } from "../../schemas/export.schema.ts";

/** One page of a list; without `nextCursor` it is the last. */
export interface Page<Row> {
  rows: Row[];
  nextCursor?: string;
}

/** Params of an action about a taskflow, without its id. */
export type OfTaskflow<A extends PublicAction> = Omit<ActionParams[A], "taskflowId">;
/** Params of an action about a task, without its ids. */
export type OfTask<A extends PublicAction> = Omit<ActionParams[A], "taskflowId" | "taskId">;

/** Selects the tasks that a retry runs again; without any: as `mode` says of the whole taskflow. */
export type RetryOptions = OfTaskflow<"retryTaskflow">;

/** Answers that the client joins from chunks. */
interface Assembled {
  getValue: unknown;
  exportTaskflow: TaskflowExport;
}

/** The result of an action's method. */
export type ClientAnswer<A extends PublicAction> = A extends keyof Assembled ? Assembled[A] : ActionAnswers[A];

/** A method for every action of the catalogue, under its name. */
export type ClientMethods = { [A in PublicAction]: (...args: never[]) => Promise<ClientAnswer<A>> };
