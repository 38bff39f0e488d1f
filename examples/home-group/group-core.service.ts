/** A plain Moleculer service: it knows nothing of taskflows, and is a worker all the same. */
import type { Context, ServiceSchema } from "moleculer";
import { setTimeout as delay } from "node:timers/promises";
import { home } from "./home.ts";

interface Group {
  groupId: string;
  groupType: string;
  groupName: string;
}

const groupCore: ServiceSchema = {
  name: "group-core",
  actions: {
    createGroup: {
      params: { groupId: "string", groupType: "string", groupName: "string" },
      async handler(ctx: Context<Group>) {
        const { groupId, groupType, groupName } = ctx.params;
        home().write({ call: "createGroup", phase: "asked", groupId });
        await delay(600);
        home().write({ call: "createGroup", phase: "done", groupId });
        return { success: true, groupId, groupType, groupName };
      },
    },
  },
};

export default groupCore;
