/**
 * Half of a character (`"party 😀".slice(0, 7)`): stores keep another character instead, so that
 * two texts would be one.
 */
import { afterEach, expect, test } from "@jest/globals";
import type { Taskflow } from "../../lib/index.ts";
import { rejection, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { tempFolder } from "../helpers/temp.ts";

afterEach(stopLocalNodes);

const HALF = "party 😀".slice(0, 7);
const stages = [stageOf("one", ["ok"])];

test.each<[string, Partial<Taskflow>, string]>([
  ["the name", { name: HALF }, "/name"],
  ["the tenant", { tenant: HALF }, "/tenant"],
  ["a tag", { tags: ["a", HALF] }, "/tags/1"],
  ["the name of an attribute", { attributes: { [HALF]: 1 } }, `/attributes/${HALF}`],
  ["an attribute", { attributes: { a: HALF } }, "/attributes/a"],
  ["the name of a stage", { stages: [stageOf(HALF, ["ok"])] }, "/stages/0/name"],
  ["the name of a task", { stages: [stageOf("one", [`${HALF}:ok`])] }, "/stages/0/tasks/0/name"],
])("produce refuses one in %s", async (_title, part, path) => {
  const { client } = await startLocalNode();
  const error = await rejection(client.produce({ stages, ...part }));
  expect(error).toMatchObject({ type: "TASKFLOW_VALIDATION_ERROR" });
  expect((error.data as { path: string }[]).map((problem) => problem.path)).toEqual([path]);
  expect((await client.listTaskflows()).rows).toEqual([]);
});

test("no filter with one matches another tenant, and no command takes one for its id, reason or type", async () => {
  const { client } = await startLocalNode({ taskflow: { store: `sqlite:${tempFolder()}/flow.db` } });
  const replaced = HALF.toWellFormed();
  await client.produce({
    taskflowId: "f",
    name: replaced,
    tenant: replaced,
    tags: [replaced],
    attributes: { a: replaced },
    stages,
  });
  for (const call of [
    client.listTaskflows({ tenant: HALF }),
    client.listTaskflows({ name: HALF }),
    client.listTaskflows({ tags: [HALF] }),
    client.listTaskflows({ attributes: { a: HALF } }),
    client.listTaskflows({ errorType: HALF }),
    client.listTaskflows({ text: HALF }),
    client.annotateTaskflow("f", HALF, 1),
    client.pauseTaskflow("f", { reason: HALF }),
    client.pauseTaskflow("f", { commandId: HALF }),
    client.pauseActions("svc.ok", HALF),
  ])
    expect(await rejection(call)).toMatchObject({ type: "TASKFLOW_VALIDATION_ERROR" });
  expect((await client.listTaskflows({ tenant: replaced })).rows).toHaveLength(1);
});

test("whole characters of two units are names as before, and error types of workers are made well-formed", async () => {
  const fail = (): never => {
    throw Object.assign(new Error("no"), { type: HALF });
  };
  const { client } = await startLocalNode({ services: [{ name: "svc", actions: { ok: fail } }] });
  await client.produce({ taskflowId: "f", name: "party 😀", tenant: "😀", attributes: { "😀": "😀" }, stages });
  expect(await client.waitForTaskflow("f")).toMatchObject({ error: { type: HALF.toWellFormed() } });
  expect((await client.listTaskflows({ tenant: "😀", name: "party 😀", attributes: { "😀": "😀" } })).rows).toMatchObject([
    { errorType: HALF.toWellFormed() },
  ]);
});
