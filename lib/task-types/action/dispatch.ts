import type { Dispatch } from "../../ports/dispatch.ts";
import type { DispatchPorts } from "../../ports/task-types.ts";

/** The bus calls actions. */
export const dispatch = ({ bus }: DispatchPorts): Dispatch => bus;
