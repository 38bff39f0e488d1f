import type { Dispatch } from "../../ports/dispatch.ts";
import type { DispatchPorts } from "../../ports/task-types.ts";

/** Actions are what the bus calls. */
export const dispatch = ({ bus }: DispatchPorts): Dispatch => bus;
