import { defineTaskflow, type Taskflow } from "../../lib/index.ts";
import { DEVICES } from "./devices.ts";

/**
 * Creates a group and then adds ten devices to it, three at a time: the taskflow of
 * `examples/group.json`, for a whole room.
 */
export function groupFlow(groupId: string): Taskflow {
  return defineTaskflow({
    name: "configure-group",
    options: { timeout: "10s", retryDelay: "1500ms" },
    context: { description: "Sets up the group of a bedroom" },
    stages: [
      {
        name: "createGroup",
        tasks: [
          {
            name: "createGroup",
            type: "ACTION",
            params: { groupId, groupType: "room", groupName: "bed-room" },
            taskDetails: { serviceId: "group-core", actionName: "createGroup" },
          },
        ],
      },
      {
        name: "addApplianceToGroups",
        // A device that never answers leaves the group without it, and the taskflow
        // PARTIAL_COMPLETED.
        options: { maxConcurrency: 3, maxRetries: 3, continueOnTaskFailure: true },
        tasks: Object.keys(DEVICES).map((applianceId) => ({
          name: applianceId,
          type: "ACTION",
          params: { groupId, applianceId },
          taskDetails: { serviceId: "appliance-core", actionName: "AddApplianceToGroup" },
        })),
      },
    ],
  });
}
