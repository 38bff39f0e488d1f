/** Mutants of the coordinator: how it stores, carries out, owns and hands over. */
import type { Mutant } from "./mutant.ts";

const turns = "lib/coordinator/turn/loop.ts";
const reconciler = "lib/coordinator/turn/reconciler.ts";
const lease = "lib/coordinator/ownership/lease.ts";
const residency = "lib/coordinator/ownership/residency.ts";

export const MUTANTS_OF_THE_COORDINATOR: readonly Mutant[] = [
  {
    title: "one call more than there are slots",
    noticedBy: [18],
    change: [
      "lib/coordinator/turn/dispatcher.ts",
      "return this.#maxInFlight - this.#inFlight;",
      "return this.#maxInFlight + 1 - this.#inFlight;",
    ],
  },
  {
    title: "events before the write",
    noticedBy: [4],
    change: [
      turns,
      "    let results: WriteResult[] | Promise",
      "    for (const unit of units) this.announce(unit);\n    let results: WriteResult[] | Promise",
    ],
  },
  {
    title: "effects before the write",
    noticedBy: [3],
    change: [
      turns,
      "    let results: WriteResult[] | Promise",
      "    for (const unit of units) this.#effects.run(unit.resident, unit.effects);\n    let results: WriteResult[] | Promise",
    ],
  },
  {
    title: "conflicts ignored",
    noticedBy: [3, 4, 13],
    change: [turns, 'if (results[index] !== "stored") return this.#lost(unit);', ""],
  },
  {
    title: "a failed commit is taken for a stored one",
    noticedBy: [3, 4],
    change: [
      reconciler,
      "if (isOurs && (unit ? isLast(stored, unit.write) : stored.revision === revision)) {",
      "if (isOurs && (unit ?? stored.revision === revision)) {",
    ],
  },
  {
    title: "a stored commit is taken for a failed one",
    noticedBy: [8, 23, 29, 13],
    change: [
      reconciler,
      "if (isOurs && (unit ? isLast(stored, unit.write) : stored.revision === revision)) {",
      "if (false as boolean) {",
    ],
  },
  {
    title: "answers forgotten when a commit failed",
    from: 379,
    noticedBy: [23],
    change: [reconciler, "[...waiting, recover] : [recover, ...waiting]", "[recover] : [recover]"],
  },
  {
    title: "a taken id is answered as a new one",
    noticedBy: [20],
    change: [turns, "creation.stored(true);", "creation.stored(false);"],
  },
  {
    title: "produce answers before the write",
    noticedBy: [1],
    change: [
      "lib/coordinator/commands/produce.ts",
      "resident.creation.wait(resolve, reject);",
      "resident.creation.wait(resolve, reject);\n      resolve(false);",
    ],
  },
  {
    title: "execution starts before the answer",
    noticedBy: [1],
    change: [
      turns,
      "      creation?.stored(false);\n      if (isInDoubt) return;\n",
      "      if (creation) this.carryOut(unit);\n      creation?.stored(false);\n      if (isInDoubt || creation) return;\n",
    ],
  },
  {
    title: "creation time apart from the journal",
    // Events name the creation, too.
    noticedBy: [14, 13],
    change: [turns, "const at = resident.creation ? flow.createdAt : now;", "const at = now;"],
  },
  {
    title: "row not written",
    noticedBy: [25],
    change: ["lib/coordinator/turn/projection.ts", "if (!isOver(flow) && !facts.some(", "if (isOver(flow) || !facts.some("],
  },
  {
    title: "slots not given back",
    noticedBy: [21, 2, 30],
    change: ["lib/coordinator/turn/effect-runner.ts", "this.#ports.dispatcher.release(1);", ""],
  },
  {
    title: "timers not cancelled",
    from: 236,
    noticedBy: [22],
    change: ["lib/coordinator/turn/resident.ts", "    for (const cancel of this.#timers) cancel();\n", ""],
  },
  {
    title: "timeouts not watched",
    from: 1_081,
    noticedBy: [24, 2, 36],
    change: ["lib/coordinator/turn/effect-runner.ts", 'give(resident, { kind: "timeout", task: ordinal, attempt });', ""],
  },
  {
    title: "nobody wakes who waits for a slot",
    noticedBy: [30, 2],
    change: [
      "lib/coordinator/turn/dispatcher.ts",
      "if (chosen.length >= limit) break;",
      "if (chosen.length >= limit - 1_000) break;",
    ],
  },
  {
    title: "nobody wakes who waits for a worker",
    from: 367,
    noticedBy: [30, 2],
    change: [
      "lib/coordinator/turn/wake-ups.ts",
      "for (const resident of turns.dispatcher.starved)",
      "for (const resident of [])",
    ],
  },
  {
    title: "an event too few",
    noticedBy: [29, 13],
    change: [turns, "writer.write(facts, at, firstSeq))", "writer.write(facts, at, firstSeq).slice(0, 2))"],
  },
  {
    title: "a lost link is taken lightly",
    noticedBy: [36],
    change: [turns, "if (resident.pending.size > 0) this.give", "if (resident.pending.size < 0) this.give"],
  },
  {
    title: "questions make attempts younger",
    noticedBy: [33],
    change: ["lib/coordinator/turn/effect-runner.ts", "ageMs: ageOf(startedAt, clock.now())", "ageMs: 0 * startedAt"],
  },
  {
    title: "slots of attempts that ended otherwise kept",
    noticedBy: [21, 2, 30],
    change: ["lib/coordinator/turn/effect-runner.ts", "this.#ended(resident, fact.task);", "void fact;"],
  },
  {
    title: "reports acknowledged before they are stored",
    from: 770,
    noticedBy: [35],
    change: [
      "lib/coordinator/coordinator.ts",
      'return !flow || !now || now.attempt !== attempt || now.status !== "RUNNING" || now.pendingResponse !== null;',
      "return Boolean(flow) || Boolean(now);",
    ],
  },
  {
    title: "the lease is not asked",
    noticedBy: [31, 3, 26, 7],
    change: ["lib/coordinator/coordinator.ts", "() => this.#lease.hasLease()", "() => true"],
  },
  {
    title: "the lease is not asked again after the commit",
    from: 2_495,
    noticedBy: [31, 3, 26, 7],
    change: [
      "lib/coordinator/turn/effect-runner.ts",
      "if (!this.#ports.hasLease()) return this.#answered",
      "if (false as boolean) return this.#answered",
    ],
  },
  {
    title: "the living are taken for dead",
    noticedBy: [31, 26, 3],
    change: [lease, "from - seen.at < this.#settings.leaseMs) alive", "from - seen.at < 0) alive"],
  },
  {
    title: "old news of the living believed",
    noticedBy: [31, 26, 3],
    change: [lease, "from - seen.at < this.#settings.leaseMs) alive", "now - seen.at < this.#settings.leaseMs / 2) alive"],
  },
  {
    title: "the dead are never taken over",
    from: 76,
    noticedBy: [32, 2, 21],
    change: [lease, "from - seen.at < this.#settings.leaseMs) alive", "from - seen.at < 1_000_000_000) alive"],
  },
  {
    title: "a lapse of the lease is overlooked",
    noticedBy: [3, 26, 2, 21, 30],
    change: [lease, "if (wasLapsed) this.#listener.lapsed();", ""],
  },
  {
    title: "who comes back does not make sure of what it has",
    noticedBy: [31],
    change: [lease, "if (wasLapsed) await store.confirmOwnership(owner);", ""],
  },
  {
    title: "a claim whose answer was lost is forgotten",
    from: 1_820,
    noticedBy: [21, 2, 32, 25],
    change: [lease, "if (this.#isUnsure) await", "if (this.#leaseUntil < 0) await"],
  },
  {
    title: "what is stored while the lease lapses is carried out",
    from: 736,
    noticedBy: [3, 26, 2, 30, 21, 31],
    change: [turns, "const isInDoubt = unit.leaseLapses !== this.leaseLapses;", "const isInDoubt = unit.leaseLapses < 0;"],
  },
  {
    title: "ends not announced again",
    from: 812,
    noticedBy: [29],
    change: [
      "lib/coordinator/coordinator.ts",
      "announceEnd: (taskflowId) => this.#announceEnd(taskflowId),",
      "announceEnd: async () => {},",
    ],
  },
  {
    title: "last events not announced at a takeover",
    noticedBy: [13, 29],
    change: [
      residency,
      "if (flow.fence !== fence && !isReopened) announceLast(this.#ports.bus, entries, flow, eventTreeLimit);",
      "",
    ],
  },
  {
    title: "a claim of what has ended is not stored",
    noticedBy: [13, 25, 31],
    change: [residency, "flow.fence !== fence && !isFinished(row.status);", "false;"],
  },
  {
    title: "a row is finished before the journal knows who claimed it",
    from: 2_970,
    noticedBy: [31],
    change: [
      "lib/coordinator/turn/rehydrate.ts",
      "isFinished(status) || flow.fence !== fence) return;",
      "isFinished(status)) return;",
    ],
  },
  {
    title: "what is read back is let go of without its owner's fence",
    from: 2_589,
    noticedBy: [25, 31],
    change: [
      "lib/coordinator/turn/reconciler.ts",
      "restored.flow.fence !== fence || resident.inbox.some(",
      "resident.inbox.some(",
    ],
  },
  {
    title: "one that is to end takes over what it gave up",
    from: 885,
    noticedBy: [32],
    change: [lease, " && !this.#isLeaving) {", ") {"],
  },
  {
    title: "one that is to end goes on dispatching",
    from: 7_100,
    noticedBy: [32, 2],
    change: [turns, "return !this.isDraining && this.#listener.hasLease();", "return this.#listener.hasLease();"],
  },
  {
    title: "one that is to end gives nothing up before the end",
    from: 333,
    noticedBy: [32],
    change: [turns, "for (const resident of idle) this.drop(resident);\n    return idle", "return idle.slice(0, 0)"],
  },
  {
    title: "a parked taskflow is never read again",
    noticedBy: [37, 2, 21],
    change: [residency, "const read = await this.#read(page);", "const read = page.length;"],
  },
  {
    title: "parked beyond its time",
    noticedBy: [25],
    change: [
      "lib/coordinator/turn/projection.ts",
      "return next > now + parkMs ? next : 0;",
      "return next > now + parkMs ? next + 5_000 : 0;",
    ],
  },
  {
    title: "a snapshot is of a state before its number",
    noticedBy: [45],
    change: ["lib/coordinator/ownership/compaction.ts", "index < entries.length - KEPT;", "index < entries.length - KEPT - 1;"],
  },
];
