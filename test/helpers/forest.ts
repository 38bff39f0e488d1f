/**
 * Taskflows nested in one another, driven through the core at random: handlers produce, answer,
 * fail or are never heard of again; what taskflows tell each other comes late and twice; people
 * decide things; the coordinator of all of them dies.
 */
import { assertFlow } from "../../lib/core/model/invariants.ts";
import { build } from "../../lib/core/journal/build.ts";
import type { Command } from "../../lib/core/model/command.ts";
import { decide, type Decision } from "../../lib/core/decide.ts";
import type { Effect } from "../../lib/core/execution/effects.ts";
import type { Created, Entry, Fact, Nested } from "../../lib/core/journal/facts.ts";
import { type Flow, isFinished, isOver, taskAt } from "../../lib/core/model/flow.ts";
import { idBaseOf, stageId, taskId } from "../../lib/core/model/ids.ts";
import type { Router } from "../../lib/core/execution/dispatch.ts";
import type { Input } from "../../lib/core/execution/inputs.ts";
import { decodeEntry, encodeEntry, replay } from "../../lib/core/journal/journal.ts";
import { DEFAULT_OPTIONS } from "../../lib/core/model/options.ts";
import type { Options } from "../../schemas/options.ts";
import type { Random } from "../simulation/random.ts";
import { answered, error, failed, fingerprint, routerTo } from "./core-run.ts";
import { undoable } from "./undo-run.ts";

interface Tree {
  flow: Flow;
  entries: Entry[];
  fence: number;
  /** A coordinator has it in memory; one that is over leaves it. */
  isCared: boolean;
}

type Call = Extract<Effect, { kind: "call" }> & { readonly from: string };
type Ask = Extract<Effect, { kind: "query-outcome" }> & { readonly from: string };
type Timer = Extract<Effect, { kind: "timer" }> & { readonly from: string };
interface Producer {
  readonly from: string;
  readonly task: number;
  readonly attempt: number;
  readonly delivery: number;
}

interface CommandRequest {
  readonly from: string;
  readonly to: string;
  readonly command: Command;
}

const MAX_DEPTH = 3;
const MOST_FLOWS = 25;

export class Forest {
  readonly trees = new Map<string, Tree>();
  readonly #random: Random;
  /** The deliveries that produced or adopted each child. */
  readonly #producers = new Map<string, Producer[]>();
  /** Taskflows that have completed at some time: a person may retry them later. */
  readonly #completed = new Set<string>();
  /** Deliveries of attempts whose handlers have succeeded. */
  readonly #succeeded: Producer[] = [];
  #calls: Call[] = [];
  #asks: Ask[] = [];
  #timers: Timer[] = [];
  #orders: CommandRequest[] = [];
  #now = 1_000_000;
  #isCalm = false;

  constructor(random: Random) {
    this.#random = random;
    this.#plant("root");
  }

  /** One thing happens. False if nothing can any more. */
  step(): boolean {
    const sources = [this.#calls, this.#asks, this.#timers, this.#orders].filter((list) => list.length > 0);
    if (!this.#isCalm && this.#random.chance(0.02)) this.#crash();
    else if (!this.#isCalm && this.#random.chance(0.03)) this.#loseLink();
    else if (!this.#isCalm && this.#random.chance(0.04)) this.#decideSomething();
    else if (sources.length === 0) return this.#dispatchAll();
    else this.#next(this.#random.pick(sources));
    if (this.#random.chance(0.7)) this.#dispatchAll();
    return true;
  }

  /** From here on nobody interferes, nothing is paused, and every handler answers well. */
  calm(): void {
    this.#isCalm = true;
    for (const id of this.trees.keys()) this.#command(id, { kind: "resume" });
  }

  #next(list: unknown[]): void {
    if (list === this.#orders) return this.#deliver(this.#random.pick(this.#orders));
    const [thing] = list.splice(this.#random.int(0, list.length - 1), 1);
    if (list === this.#calls) this.#handle(thing as Call);
    else if (list === this.#asks) this.#reply(thing as Ask);
    else {
      const { from, at, input } = thing as Timer;
      // What is only repeated when time passes must not keep the run from ending.
      if (input.kind === "follow" && !this.#isCalm && this.#random.chance(0.5)) return void list.push(thing);
      this.#now = Math.max(this.#now, at);
      this.#give(from, [input]);
    }
  }

  #plant(id: string, nested?: Nested): void {
    const random = this.#random;
    const pick = (): Options => ({
      maxRetries: random.int(0, 2),
      waitForNested: random.chance(0.8),
      continueOnTaskFailure: random.chance(0.3),
      exactlyOnceTaskExecution: random.chance(0.3),
    });
    const definition = undoable([{ a: pick(), b: pick() }, { c: pick() }], {
      onFailure: random.chance(0.5) ? "compensate" : "fail",
    });
    const base = { taskflowId: id, idBase: idBaseOf(random.uuid()), defaults: DEFAULT_OPTIONS, meta: {}, definition };
    const created: Created = { kind: "created", ...base, ...(nested ? { nested } : {}) };
    const tree: Tree = {
      flow: build(created, this.#now),
      entries: [{ at: this.#now, facts: [created] }],
      fence: 1,
      isCared: true,
    };
    tree.flow.revision = 1;
    this.trees.set(id, tree);
    this.#give(id, [{ kind: "begin" }]);
  }

  #give(id: string, inputs: readonly Input[], router?: Router): Decision | undefined {
    const tree = this.trees.get(id);
    if (!tree) return undefined;
    if (!tree.isCared) this.#commit(id, tree, [{ kind: "recover", fence: ++tree.fence, isReopened: true }]);
    const decision = this.#commit(id, tree, inputs, router);
    if (!isOver(tree.flow)) return decision;
    this.#timers = this.#timers.filter(({ from }) => from !== id);
    this.#readBack(tree);
    tree.isCared = false;
    return decision;
  }

  #commit(id: string, tree: Tree, inputs: readonly Input[], router?: Router): Decision {
    const decision = decide(tree.flow, inputs, this.#now, router);
    const { facts, effects } = decision;
    if (facts.length > 0) tree.entries.push({ at: this.#now, facts });
    tree.flow.revision = tree.entries.length;
    tree.isCared = true;
    assertFlow(tree.flow);
    for (const fact of facts) {
      if (fact.kind === "settled" && fact.status === "SUCCESS") this.#checkJoined(id, tree.flow, fact);
      else if (fact.kind === "flow" && (fact.status === "COMPLETED" || fact.status === "PARTIAL_COMPLETED"))
        this.#completed.add(id);
    }
    for (const effect of effects) this.#keep(id, effect);
    return decision;
  }

  /** A task that succeeds has joined the children of a delivery that succeeded: all of them did. */
  #checkJoined(id: string, flow: Flow, { task: ordinal, reason }: Extract<Fact, { kind: "settled" }>): void {
    const task = taskAt(flow, ordinal);
    if (!task?.options.waitForNested || reason !== undefined) return;
    const { attempt } = task;
    const isSame = (one: Producer, delivery: number): boolean =>
      one.from === id && one.task === ordinal && one.attempt === attempt && one.delivery === delivery;
    const isJoined = ({ delivery }: Producer): boolean =>
      Array.from(this.#producers).every(([child, producers]) => {
        const isProduced = producers.some((producer) => isSame(producer, delivery));
        return !isProduced || this.#completed.has(child);
      });
    const answers = this.#succeeded.filter((one) => isSame(one, one.delivery));
    if (!answers.some(isJoined))
      throw new Error(`Task ${ordinal} of ${id} succeeded at attempt ${attempt} without its nested taskflows`);
    const left = task.children.find(({ state, isChosen }) => state === "active" && !isChosen);
    if (left) throw new Error(`Task ${ordinal} of ${id} succeeded at attempt ${attempt} and left ${left.id} to run`);
  }

  /** From here on the taskflow is what its journal tells, and that must be what it was. */
  #readBack(tree: Tree): void {
    this.#compare(tree);
    tree.flow = readBack(tree.entries);
    tree.flow.revision = tree.entries.length;
  }

  #keep(from: string, effect: Effect): void {
    if (effect.kind === "call") this.#calls.push({ ...effect, from });
    else if (effect.kind === "query-outcome") this.#asks.push({ ...effect, from });
    else if (effect.kind === "timer") this.#timers.push({ ...effect, from });
    else if (effect.kind === "send-command") this.#orders.push({ ...effect, from });
    else if (effect.kind === "follow") for (const child of effect.children) this.#follow(from, child);
  }

  #follow(parent: string, child: string): void {
    const flow = this.trees.get(child)?.flow;
    if (flow && !isOver(flow)) return;
    // Said at once, before the child can be produced after all.
    if (!flow) return void this.#command(parent, { kind: "join", child, status: null });
    this.#orders.push({ from: child, to: parent, command: { kind: "join", child, status: flow.status, seq: flow.seq } });
  }

  #compare({ flow, entries }: Tree): void {
    const memory = fingerprint(flow);
    const journal = fingerprint(readBack(entries));
    if (memory !== journal) throw new Error(`Memory and journal differ:\n${memory}\n${journal}`);
  }

  #command(to: string, command: Command): Decision | undefined {
    return this.#give(to, [{ kind: "command", correlationId: 1, command }]);
  }

  /** What one taskflow tells another comes in its order, if perhaps twice. */
  #deliver({ from, to }: CommandRequest): void {
    const index = this.#orders.findIndex((order) => order.from === from && order.to === to);
    const [first] = this.#random.chance(0.2) ? this.#orders.slice(index, index + 1) : this.#orders.splice(index, 1);
    if (first) this.#command(to, first.command);
  }

  /**
   * The handler of an attempt is at it: it produces, answers, fails, or its answer is lost and
   * its time runs out.
   */
  #handle(call: Call): void {
    const random = this.#random;
    const { from, task, attempt, delivery } = call;
    const flow = this.trees.get(from)?.flow;
    const running = flow && taskAt(flow, task);
    if (!flow || running?.attempts.at(-1)?.attempt !== attempt) return;
    if (this.trees.size < MOST_FLOWS && !this.#isCalm && random.chance(0.4)) {
      this.#produce(flow, call);
      this.#calls.push(call);
      return;
    }
    const fate = this.#isCalm ? 0 : random.next();
    if (fate < 0.6) {
      this.#succeeded.push({ from, task, attempt, delivery });
      this.#give(from, [{ kind: "answer", task, attempt, delivery, outcome: answered(1) }]);
    } else if (fate < 0.9) this.#give(from, [{ kind: "answer", task, attempt, delivery, outcome: failed() }]);
    else if (fate < 0.95) this.#give(from, [{ kind: "timeout", task, attempt }]);
    else
      this.#give(from, [{ kind: "answer", task, attempt, delivery, outcome: { kind: "unknown", error: error("WORKER_LOST") } }]);
  }

  /** As a coordinator does it: the link, then the child or what it had come to. */
  #produce(parent: Flow, { task, attempt, delivery }: Call): void {
    const random = this.#random;
    const isChosen = random.chance(0.4);
    const child = isChosen ? `${parent.taskflowId}.${task}` : `n${this.trees.size}-${random.uuid()}`;
    const existing = this.trees.get(child)?.flow;
    const id = taskId(parent.idBase, task);
    const retried = existing?.status === "FAILED" || existing?.status === "CANCELLED";
    const ended = existing && isOver(existing) && !retried ? { ended: { status: existing.status, seq: existing.seq } } : {};
    const link = { kind: "link", taskId: id, attempt, delivery, child, isChosen, maxDepth: MAX_DEPTH, ...ended } as const;
    const answer = this.#command(parent.taskflowId, link)?.answers[0]?.answer;
    if (!answer?.ok) return;
    // The coordinator dies in between: the handler hears nothing.
    if (random.chance(0.05)) return this.#crash();
    const producer = { from: parent.taskflowId, task, attempt, delivery };
    this.#producers.set(child, [...(this.#producers.get(child) ?? []), producer]);
    if (existing) {
      if (retried) this.#command(child, { kind: "retry" });
      return;
    }
    const at = { taskflowId: parent.taskflowId, stageId: stageId(parent.idBase, 0), taskId: id, attempt };
    this.#plant(child, { parent: at, rootId: parent.rootId, depth: parent.depth + 1, context: null });
    if (answer.data["isHeld"] === true) this.#command(child, { kind: "pause", by: parent.taskflowId });
  }

  #reply({ from, task, attempt, delivery, node, startedAt, cause }: Ask): void {
    // The ledger names the delivery whose handler ran, which may be an earlier one.
    const ran = this.#random.int(1, delivery);
    const reply = this.#random.pick([
      { kind: "never" } as const,
      { kind: "silent" } as const,
      { kind: "done", outcome: { ...answered(2), delivery: ran } } as const,
    ]);
    if (reply.kind === "done") this.#succeeded.push({ from, task, attempt, delivery: ran });
    this.#give(from, [{ kind: "outcome-reply", task, attempt, delivery, node, startedAt, reply, ...(cause ? { cause } : {}) }]);
  }

  #decideSomething(): void {
    const to = this.#random.pick(Array.from(this.trees.keys()));
    const name = this.#random.pick(["a", "b", "c"]);
    this.#command(
      to,
      this.#random.pick<Command>([
        { kind: "cancel", compensate: this.#random.chance(0.5) },
        { kind: "pause" },
        { kind: "resume" },
        { kind: "retry" },
        { kind: "retry", mode: "failed" },
        { kind: "cancelTask", task: name },
        { kind: "resolveTask", task: name, outcome: "SUCCESS", reason: "by hand" },
      ]),
    );
  }

  /** The bus was away for a moment: handlers go on, and are asked for. */
  #loseLink(): void {
    for (const [id, { flow }] of this.trees) {
      const tasks = flow.tasks.flatMap(({ ordinal, status }) => (status === "RUNNING" ? [ordinal] : []));
      if (tasks.length > 0 && !isOver(flow)) this.#give(id, [{ kind: "link-lost", tasks }]);
    }
  }

  /**
   * What was under way is lost, but for handlers; somebody else reads all of it, unfinished or
   * not.
   */
  #crash(): void {
    this.#calls = this.#calls.filter(() => this.#random.chance(0.5));
    this.#asks = [];
    this.#timers = [];
    this.#orders = [];
    for (const [id, tree] of this.trees) {
      this.#readBack(tree);
      if (!isOver(tree.flow)) this.#give(id, [{ kind: "recover", fence: ++tree.fence }]);
    }
  }

  #dispatchAll(): boolean {
    let hasSent = false;
    for (const [id, { flow }] of this.trees) {
      if (flow.due.size + flow.repeats.size === 0) continue;
      hasSent = (this.#give(id, [], routerTo("w1", 100))?.facts.length ?? 0) > 0 || hasSent;
    }
    return hasSent;
  }

  /** What must hold once nothing happens any more: the first thing that does not. */
  get fault(): string | undefined {
    for (const [id, { flow }] of this.trees) {
      this.#compare(this.trees.get(id) as Tree);
      if (!isOver(flow)) return `${id} is ${flow.status}, and not over`;
      for (const child of flow.children.values()) {
        const nested = this.trees.get(child.id)?.flow;
        if (!nested) return `${id} has a child ${child.id} that was never stored`;
        // Whoever waits for nothing any more may have missed the news.
        const isOwed = child.state === "abandoned" || (child.state === "active" && child.task.status === "RUNNING");
        if (isOwed) return `${id} waits for ${child.id}, which is ${nested.status}`;
      }
      if (flow.parent && isFinished(flow.status) && !this.trees.get(flow.parent.taskflowId)?.flow.children.has(id))
        return `${id} is not known to its parent`;
    }
    return undefined;
  }
}

const readBack = (entries: readonly Entry[]): Flow => replay(entries.map(({ at, facts }) => decodeEntry(encodeEntry(at, facts))));
