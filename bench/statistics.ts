export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Three digits that tell something. */
export function show(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "-";
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}

/** Median with the lowest and the highest: `12.3 (11.0..14.2)`. */
export function spread(values: readonly number[]): string {
  if (values.length === 0) return "-";
  if (values.length === 1) return show(values[0]);
  return `${show(medianOf(values))} (${show(Math.min(...values))}..${show(Math.max(...values))})`;
}
