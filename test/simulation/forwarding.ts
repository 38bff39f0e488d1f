/** Orders on their way from one coordinator to another, and the answers back. What is lost is noticed when the time for an answer is over. */
import type { Answer, Order } from "../../lib/core/model/command.ts";
import type { Life } from "./life.ts";

type Heard = Answer | "not-mine" | "unheard";

const ANSWER_MS = 5_000;

export function forward(life: Life, node: string, taskflowId: string, order: Order): Promise<Heard> {
  const { world } = life;
  world.count("input: order passed on");
  return new Promise((resolve) => {
    const tell = (heard: Heard, after: number): (() => void) => world.agenda.in(after, () => life.reach(() => resolve(heard)));
    const giveUp = tell("unheard", ANSWER_MS);
    const answer = (heard: Heard): void => {
      if (life.isCutOff || world.strikes("reply lost")) return;
      giveUp();
      tell(heard, world.delay());
    };
    if (life.isCutOff || world.strikes("request lost")) return;
    world.agenda.in(world.delay(), () => {
      const owner = world.fleet.lives.find((other) => other.owner === node && other.hasStarted);
      if (!owner || owner.isCutOff) return;
      owner.reach(() => {
        owner.coordinator.heed(taskflowId, order).then(
          (heard) => answer(heard ?? "not-mine"),
          () => {},
        );
      });
    });
  });
}
