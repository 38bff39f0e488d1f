import { defineTaskflow, type Taskflow } from "../../lib/index.ts";

/**
 * An order of three steps. What is reserved and booked can be undone; the payment comes last.
 * @param onFailure what is done when a step fails for good: undo the steps before it, or wait for
 * a person
 */
export function orderFlow(orderId: string, card: string, onFailure: "compensate" | "pause"): Taskflow {
  return defineTaskflow({
    name: "order",
    options: { onFailure, maxRetries: 3, retryDelay: "500ms", timeout: "5s", exactlyOnceTaskExecution: true },
    context: { orderId },
    tags: ["shop"],
    stages: [
      {
        name: "stock",
        tasks: [
          {
            name: "reserve",
            type: "ACTION",
            params: { orderId, article: "lamp", pieces: 2 },
            taskDetails: { serviceId: "stock", actionName: "reserve" },
            compensate: {
              taskDetails: { serviceId: "stock", actionName: "release" },
              params: { reservationId: "${response.reservationId}" },
            },
          },
        ],
      },
      {
        name: "shipping",
        tasks: [
          {
            name: "book",
            type: "ACTION",
            params: { orderId, to: "Main Street 1" },
            taskDetails: { serviceId: "shipping", actionName: "book" },
            compensate: {
              taskDetails: { serviceId: "shipping", actionName: "cancel" },
              params: { parcelId: "${response.parcelId}" },
            },
          },
        ],
      },
      {
        name: "payment",
        tasks: [
          {
            name: "charge",
            type: "ACTION",
            params: { orderId, card, amount: 79.8 },
            taskDetails: { serviceId: "payment", actionName: "charge" },
          },
        ],
      },
    ],
  });
}
