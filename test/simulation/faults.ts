/** What can go wrong, and how often it does in one run. */
import type { Random } from "./random.ts";

/** Highest probability of each fault, each time that there is an opportunity for it. */
const HIGHEST = {
  /** The process ends; drawn once for each of its lives. */
  crash: 0.9,
  /** The process stands still for a while; drawn a few times, for whichever runs. */
  freeze: 0.9,
  /** The process is asked to end, and hands over; drawn like a freeze. */
  stop: 0.8,
  /**
   * The process's own link to the bus is cut for a while: what is under way is lost; drawn like a
   * freeze.
   */
  "link down": 0.9,
  /** A sign of life is not taken. */
  "beat refused": 0.4,
  /** It takes about as long as the lease. */
  "beat slow": 0.25,
  /** The store does not tell its time. */
  "time refused": 0.3,
  /** A step of a claim takes up to two leases. */
  "claim slow": 0.6,
  /** A claim fails, and nothing was claimed. */
  "claim refused": 0.3,
  /** A claim fails although something was claimed. */
  "claim unsure": 0.7,
  /** What is given up cannot be given up. */
  "release refused": 0.3,
  /** The others are not told that something was given up. */
  "release unheard": 0.5,
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
  /** It comes after the attempt was asked about, perhaps. */
  "request late": 0.2,
  "reply lost": 0.2,
  /** The reply comes after the attempt's timeout. */
  "reply late": 0.25,
  "reply doubled": 0.3,
  /** The worker dies with the work done or not. */
  "worker lost": 0.2,
  /** The worker dies in the middle of the work. */
  "worker killed": 0.2,
  /** What workers remember of the past is gone. */
  "ledger forgets": 0.15,
  "question lost": 0.5,
  "reply to a question lost": 0.5,
  "reply to a question late": 0.3,
  "report lost": 0.5,
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

/**
 * In a tenth of the runs nothing goes wrong; else each fault is wholly off in most of them, for
 * one can hide what another would show.
 */
export function drawFaults(random: Random): FaultRates {
  const share = random.chance(0.1) ? 0 : random.pick([0.12, 0.3, 0.5]);
  const rates = FAULTS.map((fault) => [fault, random.chance(share) ? random.next() * HIGHEST[fault] : 0]);
  return Object.fromEntries(rates) as FaultRates;
}
