/** The names that an expression in a task's params can begin with. */
export const ROOTS = ["context", "stages", "previousStageRes", "taskflow"] as const;

export type Root = (typeof ROOTS)[number];

export function isRoot(name: unknown): name is Root {
  return (ROOTS as readonly unknown[]).includes(name);
}
