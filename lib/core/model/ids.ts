/**
 * Ids of stages and tasks: UUIDs (version 8) computed from the taskflow's base and a position, so
 * that they need neither storage nor an index. A base is 24 characters, `xxxxxxxx-xxxx-8xxx-yxxx-`;
 * `0000` for a stage or `0001` for a task follows, then the position in hex.
 */
const STAGE = "0000";
const TASK = "0001";

/** From the 32 hex digits of any UUID, random or not. */
export function idBaseOf(uuid: string): string {
  return `${uuid.slice(0, 14)}8${uuid.slice(15, 24)}`;
}

/** Suffixes of ids, cached: each change writes an id several times. */
const MAX_CACHED = 16_384;
const stageEnds: string[] = [];
const taskEnds: string[] = [];

function endOf(ends: string[], kind: string, number: number): string {
  if (number >= MAX_CACHED) return kind + number.toString(16).padStart(8, "0");
  return (ends[number] ??= kind + number.toString(16).padStart(8, "0"));
}

export function stageId(idBase: string, index: number): string {
  return idBase + endOf(stageEnds, STAGE, index);
}

export function taskId(idBase: string, ordinal: number): string {
  return idBase + endOf(taskEnds, TASK, ordinal);
}

function positionIn(idBase: string, kind: string, id: string): number | undefined {
  if (id.length !== 36 || !id.startsWith(idBase) || !id.startsWith(kind, 24)) return undefined;
  const digits = id.slice(28);
  return /^[0-9a-f]{8}$/.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

/** The index in a stage's id; undefined if the id is not of a stage of this taskflow. */
export function stageIndexOf(idBase: string, id: string): number | undefined {
  return positionIn(idBase, STAGE, id);
}

/** The ordinal in a task's id; undefined if the id is not of a task of this taskflow. */
export function taskOrdinalOf(idBase: string, id: string): number | undefined {
  return positionIn(idBase, TASK, id);
}
