/**
 * Orders on their way from one coordinator to another, and the answers back. What is lost is
 * noticed when the time for an answer is over.
 */
import type { CommandResult, CommandRequest } from "../../lib/core/model/command.ts";
import type { Incarnation } from "./incarnation.ts";

type Heard = CommandResult | "not-mine" | "unanswered";

const ANSWER_MS = 5_000;

export function forward(incarnation: Incarnation, node: string, taskflowId: string, order: CommandRequest): Promise<Heard> {
  const { world } = incarnation;
  world.count("input: order passed on");
  return new Promise((resolve) => {
    const tell = (heard: Heard, after: number): (() => void) =>
      world.agenda.in(after, () => incarnation.reach(() => resolve(heard)));
    const giveUp = tell("unanswered", ANSWER_MS);
    const answer = (heard: Heard): void => {
      if (incarnation.isCutOff || world.strikes("reply lost")) return;
      giveUp();
      tell(heard, world.delay());
    };
    if (incarnation.isCutOff || world.strikes("request lost")) return;
    world.agenda.in(world.delay(), () => {
      const owner = world.fleet.incarnations.find((other) => other.owner === node && other.hasStarted);
      if (!owner || owner.isCutOff) return;
      owner.reach(() => {
        owner.coordinator.handleForwarded(taskflowId, order).then(
          (heard) => answer(heard ?? "not-mine"),
          () => {},
        );
      });
    });
  });
}
