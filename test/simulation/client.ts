/** Somebody who has a taskflow done: asks for it, and asks again as far as that is safe. */
import type { Plan } from "./definition.ts";
import type { Incarnation } from "./incarnation.ts";
import type { World } from "./world.ts";

export class Client {
  readonly plan: Plan;
  /** The id that the client chose; without one it does not ask twice. */
  readonly taskflowId: string | undefined;
  /** Ids under which the plan may be stored. */
  readonly answers: { taskflowId: string; existing: boolean }[] = [];
  /** The process that has been asked and has not answered. */
  readonly asked = new Set<Incarnation>();
  isDone = false;
  /** How often it asks. */
  readonly times: number;
  #open: number;
  readonly #world: World;

  constructor(world: World, plan: Plan, taskflowId: string | undefined, times: number) {
    this.#world = world;
    this.plan = plan;
    this.taskflowId = taskflowId;
    this.times = times;
    this.#open = times;
    const begin = world.random.int(0, world.submitUntil);
    for (let i = 0; i < times; i++) {
      if (i > 0) world.count("input: produce of an id again");
      // Often at the very same time.
      const wait = i === 0 || world.random.chance(0.5) ? 0 : world.random.int(0, 2_000);
      world.agenda.in(begin + wait, () => this.#ask());
    }
  }

  #again(): void {
    this.#world.agenda.in(this.#world.random.int(300, 2_000), () => this.#ask());
  }

  #end(): void {
    this.#open--;
    this.isDone = this.#open === 0;
  }

  #ask(): void {
    const world = this.#world;
    const incarnation = world.fleet.anyStarted();
    if (!incarnation) return this.#again();
    const { plan, taskflowId } = this;
    world.count("input: produce");
    world.note(() => `  produce ${taskflowId ?? "without an id"}`);
    this.asked.add(incarnation);
    const given = { ...(taskflowId === undefined ? {} : { taskflowId }), definition: plan.definition, text: plan.text, meta: {} };
    const over = this.#whenOver(incarnation);
    incarnation.reach(() => {
      incarnation.coordinator.produce(given).then(
        ({ taskflowId: id, existing }) => over(() => this.#answered(id, existing === true)),
        (error: Error) => over(() => this.#refused(error)),
      );
    });
  }

  /** Exactly one of: an answer, a refusal, the end of the process. */
  #whenOver(incarnation: Incarnation): (then: () => void) => void {
    let isOver = false;
    const over = (then: () => void): void => {
      if (isOver) return;
      isOver = true;
      incarnation.endings.delete(ended);
      this.asked.delete(incarnation);
      then();
    };
    const ended = (): void =>
      over(() => {
        this.#world.count("input: produce unanswered");
        if (this.taskflowId === undefined) this.#end();
        else this.#again();
      });
    incarnation.endings.add(ended);
    return over;
  }

  #answered(taskflowId: string, existing: boolean): void {
    const world = this.#world;
    world.note(() => `  produce answers ${taskflowId}${existing ? ", existing" : ""}`);
    if (existing) world.count("input: produce answered existing");
    this.answers.push({ taskflowId, existing });
    if (this.taskflowId !== undefined && taskflowId !== this.taskflowId)
      world.report(20, `${taskflowId} is answered for ${this.taskflowId}`);
    if (!world.store.records.has(taskflowId)) world.report(1, `${taskflowId} is answered and not stored`);
    if (this.answers.filter((answer) => !answer.existing).length > 1)
      world.report(20, `${taskflowId} is answered twice as a new one`);
    this.#end();
  }

  #refused(error: Error): void {
    const world = this.#world;
    const isOverloaded = "type" in error && error.type === "TASKFLOW_OVERLOADED";
    world.note(() => `  produce is refused: ${error.message}`);
    world.count(isOverloaded ? "input: produce overloaded" : "input: produce refused");
    if (isOverloaded || this.taskflowId !== undefined) this.#again();
    else this.#end();
  }
}
