/** The types that one coordinator knows, each with its dispatch. */
import { capital, nameOf } from "../core/explain/reason.ts";
import { SEND, type TaskType, type TypedTask } from "../core/model/task-type.ts";
import type { Dispatch } from "../ports/dispatch.ts";
import type { DispatchPorts, KnownTaskTypes, SendingTaskType } from "../ports/task-types.ts";

/** The dispatch of types that send nothing, and of unknown ones. It finds no worker. */
const NO_DISPATCH: Dispatch = {
  route: () => undefined,
  offers: () => 0,
  call: () => () => {},
  carries: () => true,
  queryOutcome: (_question, done) => {
    let isOver = false;
    queueMicrotask(() => {
      if (!isOver) done({ kind: "silent" });
    });
    return () => {
      isOver = true;
    };
  },
  abort: () => {},
};

export class TaskTypeRegistry implements KnownTaskTypes {
  readonly #types: ReadonlyMap<string, TaskType>;
  readonly #dispatches = new Map<string, Dispatch>();

  constructor(types: ReadonlyMap<string, TaskType | SendingTaskType>, ports: DispatchPorts) {
    this.#types = types;
    for (const [name, type] of types) if ("dispatch" in type) this.#dispatches.set(name, type.dispatch(ports));
  }

  typeOf({ definition: { type } }: TypedTask): TaskType {
    return this.#types.get(type) ?? unknownType(type);
  }

  dispatchOf({ definition: { type } }: TypedTask): Dispatch {
    return this.#dispatches.get(type) ?? NO_DISPATCH;
  }
}

/** A journal may name a type that this coordinator does not have. Tasks of that type wait. */
function unknownType(name: string): TaskType {
  return {
    name,
    schema: {},
    begin: () => SEND,
    explain: (task) => ({
      sentence: `${capital(nameOf(task))} waits: this coordinator does not know the type ${name}.`,
      data: { type: name },
      movedBy: `A coordinator that has the type ${name} in TaskflowService({ taskTypes }).`,
    }),
  };
}
