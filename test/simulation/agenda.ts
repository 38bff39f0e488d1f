/**
 * Virtual time: what is to happen, in order. Nothing waits; the time is that of the event that is
 * taken.
 */
interface Planned {
  readonly time: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

const EPOCH = 1_700_000_000_000;

export class Agenda {
  /** Milliseconds since the beginning; only ever grows. */
  time = 0;
  /** What clock jumps have added to the machine's time. */
  offset = 0;
  #order = 0;
  readonly #heap: Planned[] = [];

  /** The machine's time, which may step. */
  get now(): number {
    return EPOCH + this.time + this.offset;
  }

  /**
   * Plans something; returns what cancels it. What is planned for the same time happens in the
   * order of the planning.
   */
  in(delay: number, run: () => void): () => void {
    const planned = { time: this.time + delay, order: this.#order++, run, cancelled: false };
    this.#push(planned);
    return () => {
      planned.cancelled = true;
    };
  }

  /** Takes the next one and sets the time to it. */
  next(): (() => void) | undefined {
    for (let planned = this.#pop(); planned; planned = this.#pop()) {
      if (planned.cancelled) continue;
      this.time = planned.time;
      return planned.run;
    }
    return undefined;
  }

  #push(planned: Planned): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(planned);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Planned;
      if (isBefore(above, planned)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = planned;
  }

  #pop(): Planned | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Planned, heap[child] as Planned)) child++;
      if (isBefore(last, heap[child] as Planned)) break;
      heap[index] = heap[child] as Planned;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(one: Planned, other: Planned): boolean {
  return one.time < other.time || (one.time === other.time && one.order < other.order);
}
