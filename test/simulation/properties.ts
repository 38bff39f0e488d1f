/** What must hold in every run. The numbers are those that failures and mutants name. */
export const PROPERTIES = {
  1: "produce answers what is stored, and execution starts after the answer",
  2: "every stored taskflow finishes once the faults have ceased",
  3: "a call is in the store, with its attempt, node, delivery and fence, before it is sent",
  4: "an event is in the store before it is announced",
  5: "no task of a stage runs before every task of the stages before it is settled, and none of them blocks",
  6: "attempts of a run are numbered upwards and stay within maxRetries",
  7: "a task that is settled is never called again",
  8: "under exactly-once a handler runs at most once for an attempt, which is delivered again only after `never` and repeated only after it has failed for certain",
  9: "an attempt is delivered at most five times",
  10: "what becomes of an attempt was told by that attempt",
  11: "what is settled or finished never changes",
  12: "events are numbered without gaps, TASK before STAGE before TASKFLOW",
  13: "live events are those of the history, in order, whoever announces them again",
  14: "the journal replays to what the coordinator has in memory",
  15: "the core's invariants hold after every commit",
  16: "no attempt starts before its retry delay, which is the one that the options ask for",
  17: "no attempt starts past the maxAge of its taskflow or task, and what waits ends then",
  18: "what is in flight stays within maxInFlight and maxConcurrency",
  19: "final statuses follow from the tasks' by the rules of the contract",
  20: "the same id starts one taskflow, whoever asks how often",
  21: "slots and residents do not leak",
  22: "timers do not leak",
  23: "an outcome is called unknown only if nobody could tell it",
  24: "a timeout is told only when its time is over, and ends the attempt or has it asked about soon after",
  25: "the row says what the journal says, and is due no later",
  26: "each owner has a higher fence than the one before",
  27: "nothing is set aside, thrown or turned in circles",
  28: "every success was executed",
  29: "every event is announced where no announcement was lost",
  30: "a due task with a free slot and a worker is sent without waiting for anything else",
  31: "a taskflow has one owner: nobody takes it from one that holds its lease, nobody sends without, and earlier owners change nothing",
  32: "what a coordinator leaves behind is taken over within its lease and 2 s, and one that is to end gives up at once what it need not wait for",
  33: "a question is about an attempt that is stored, and makes it no younger than it is",
  36: "after a loss of its own link a coordinator asks about whatever runs",
  35: "a report is accepted once its outcome is stored, or is of no interest any more",
  37: "what is parked, or was taken over, is in memory again when its time comes",
  38: "an order that is answered is stored, once, with that answer, and one that is refused is not",
  39: "of what is cancelled nothing is sent",
  40: "of what is paused nothing new is sent",
  41: "of several retries one begins the run",
  42: "a retry runs again what it was asked for, and says so",
  43: "a decision about a revision that is no more changes nothing",
  34: "no delivery is sent under a number of which `never` was said",
  44: "a request that is turned away is sent again after a pause, and without a fact for each try",
  45: "a snapshot and the facts after it give the state that all facts give",
} as const;

export type PropertyNumber = keyof typeof PROPERTIES;

export class Violation extends Error {
  readonly property: PropertyNumber;

  constructor(property: PropertyNumber, what: string) {
    super(`Property ${property} (${PROPERTIES[property]}) does not hold: ${what}`);
    this.name = "Violation";
    this.property = property;
  }
}
