/** JSON Schemas of options, derived from the table in `options.ts`. */
import { Type } from "typebox";
import { schemaOf, valueSchemaOf } from "../lib/util/setting.ts";
import { type EffectiveOptions, OPTIONS, type Options, TASK_OPTIONS, type TaskOptions } from "./options.ts";

/** Options of a stage or a task. */
export const TaskOptionsSchema = Type.Unsafe<TaskOptions>(schemaOf(TASK_OPTIONS));
/** Options of a taskflow. */
export const OptionsSchema = Type.Unsafe<Options>(schemaOf(OPTIONS));
/** Effective options. */
export const EffectiveOptionsSchema = Type.Unsafe<EffectiveOptions>({
  ...valueSchemaOf(OPTIONS),
  description: "Effective options: durations in milliseconds; an option that is not set is absent",
});
