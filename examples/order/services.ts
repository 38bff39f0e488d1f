/**
 * The shop's services. With the worker mixin each step is taken once, however often its call is
 * delivered.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ServiceSchema } from "moleculer";
import { PermanentError, type TaskflowContext, TaskflowWorker } from "../../lib/index.ts";

const WORK_MS = 150;

/** Cards whose bank says no. */
export const REFUSED_CARD = "4000 0000 0000 0002";

export const stock: ServiceSchema = {
  name: "stock",
  mixins: [TaskflowWorker()],
  actions: {
    async reserve({ params }: TaskflowContext<{ orderId: string; article: string; pieces: number }>) {
      await delay(WORK_MS);
      return { reservationId: `res-${params.orderId}`, article: params.article, pieces: params.pieces };
    },
    async release({ params }: TaskflowContext<{ reservationId: string }>) {
      await delay(WORK_MS);
      return { released: params.reservationId };
    },
  },
};

export const shipping: ServiceSchema = {
  name: "shipping",
  mixins: [TaskflowWorker()],
  actions: {
    async book({ params, taskflow }: TaskflowContext<{ orderId: string; to: string }>) {
      const [reserved] = (await taskflow?.previousStageRes()) ?? [];
      await delay(WORK_MS);
      return { parcelId: `parcel-${params.orderId}`, to: params.to, holds: reserved?.response };
    },
    async cancel({ params }: TaskflowContext<{ parcelId: string }>) {
      await delay(WORK_MS);
      return { cancelled: params.parcelId };
    },
  },
};

export const payment: ServiceSchema = {
  name: "payment",
  mixins: [TaskflowWorker()],
  actions: {
    async charge({ params }: TaskflowContext<{ orderId: string; card: string; amount: number }>) {
      await delay(WORK_MS);
      // Another attempt would bring the same: it is not tried again.
      if (params.card === REFUSED_CARD) throw new PermanentError("The card was refused.");
      return { receiptId: `receipt-${params.orderId}`, amount: params.amount };
    },
  },
};
