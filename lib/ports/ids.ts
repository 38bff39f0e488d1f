/** The ids' port: the only source of randomness in the coordinator. */
export interface Ids {
  /** A UUID v7, which sorts by time: the id of a taskflow whose producer chose none. */
  sorted(): string;

  /** A UUID. */
  random(): string;
}
