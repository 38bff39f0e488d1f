/**
 * The names that nodes have to agree on: actions and events between coordinators and workers, and
 * keys in meta and metadata. A node of another version uses them too, so none may change alone.
 */

/** The action that the worker mixin adds to a service: `<service>.taskflowOutcome`. */
export const OUTCOME_ACTION = "taskflowOutcome";

/** Actions of the service `taskflow` that workers call. */
export const REPORT_OUTCOME_ACTION = "taskflow.reportOutcome";
export const PREVIOUS_RESPONSES_ACTION = "taskflow.getPreviousStageRes";
export const VALUE_ACTION = "taskflow.getValue";

/** Actions of the service `taskflow` that coordinators call at one another. */
export const EXECUTE_COMMAND_ACTION = "taskflow.executeCommand";
export const PRODUCE_BELOW_ACTION = "taskflow.produceBelow";
export const EXPLAIN_ACTION = "taskflow.explainTaskflow";

// Events between nodes are not named `taskflow.…`: subscribers listen there.

/** From a handler: it is still at work. */
export const HEARTBEAT_EVENT = "taskflow-worker.heartbeat";
/** To a worker: an attempt is given up. */
export const ABORT_EVENT = "taskflow-worker.abort";
/** Between coordinators: the rules that pause actions have changed. */
export const PAUSES_CHANGED_EVENT = "taskflow-coordinator.pauses-changed";
/** Between coordinators: one of them has given up taskflows. */
export const RELEASED_EVENT = "taskflow-coordinator.released";

/** In `ctx.meta`: the execution context. */
export const CONTEXT_KEY = "taskflowExecutionContext";
/** In the metadata of a service with the worker mixin, with the version of what it understands. */
export const WORKER_KEY = "taskflowWorker";
export const WORKER_VERSION = 1;
/** In the definition of its outcome action: `isShared` and `isDurable` of its ledger. */
export const LEDGER_KEY = "taskflowLedger";
/** In the metadata of a node that reads the context from message headers, with their version. */
export const WIRE_PROTOCOL_KEY = "taskflowWireProtocol";
export const WIRE_PROTOCOL = 1;
