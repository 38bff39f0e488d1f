/**
 * A plain Moleculer service. One of its devices is asleep at first: the action throws, and the
 * taskflow tries it again.
 */
import { type Context, Errors, type ServiceSchema } from "moleculer";
import { setTimeout as delay } from "node:timers/promises";
import { DEVICES, USUAL } from "./devices.ts";
import { home } from "./home.ts";

interface Appliance {
  groupId: string;
  applianceId: string;
}

const applianceCore: ServiceSchema = {
  name: "appliance-core",
  actions: {
    AddApplianceToGroup: {
      params: { groupId: "string", applianceId: "string" },
      async handler(ctx: Context<Appliance>) {
        const { groupId, applianceId } = ctx.params;
        const { latencyMs, offlineTimes = 0 } = DEVICES[applianceId] ?? USUAL;
        const about = { call: "AddApplianceToGroup", groupId, applianceId } as const;
        home().write({ ...about, phase: "asked" });
        await delay(latencyMs);
        if (home().count({ ...about, phase: "failed" }) < offlineTimes) {
          home().write({ ...about, phase: "failed" });
          throw new Errors.MoleculerRetryableError("device offline", 503, "DEVICE_OFFLINE", { applianceId });
        }
        home().write({ ...about, phase: "done" });
        return { success: true, groupId, applianceId };
      },
    },
  },
};

export default applianceCore;
