/** What can go wrong, and how often it does in one run. */
import type { Random } from "./random.ts";

/** Highest probability of each fault, each time that there is an opportunity for it. */
const HIGHEST = {
  /** The process ends; drawn once for each of its lives. */
  crash: 0.9,
  /** A commit fails and nothing of it was stored. */
  "commit refused": 0.15,
  /** A commit fails although it was stored, in part or as a whole. */
  "commit unsure": 0.15,
  /** A commit fails, and is stored after its taskflows were read again. */
  "commit lands late": 0.15,
  /** Another owner's entry is there first. */
  conflict: 0.1,
  /** Reading from the store fails. */
  "read refused": 0.4,
  /** No node takes the call any more at the moment when it is sent. */
  "not sent": 0.25,
  /** The node turns the call away: its queue is full. */
  "queue full": 0.25,
  "request lost": 0.2,
  "reply lost": 0.2,
  /** The reply comes after the attempt's timeout. */
  "reply late": 0.25,
  "reply doubled": 0.3,
  /** The worker dies with the work done or not. */
  "worker lost": 0.2,
  /** For a while no node offers an action; drawn for each action. */
  "no worker": 0.7,
  /** Nobody says that workers have come. */
  "worker news lost": 0.7,
  /** The machine's time steps; drawn once for each direction. */
  "clock forward": 0.6,
  "clock back": 0.6,
  "event lost": 0.3,
} as const;

export type Fault = keyof typeof HIGHEST;
export const FAULTS = Object.keys(HIGHEST) as Fault[];

export type FaultRates = Readonly<Record<Fault, number>>;

/** In a tenth of the runs nothing goes wrong; else each fault is wholly off in most of them, for one can hide what another would show. */
export function drawFaults(random: Random): FaultRates {
  const share = random.chance(0.1) ? 0 : random.pick([0.12, 0.3, 0.5]);
  const rates = FAULTS.map((fault) => [fault, random.chance(share) ? random.next() * HIGHEST[fault] : 0]);
  return Object.fromEntries(rates) as FaultRates;
}
