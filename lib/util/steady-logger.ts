/** A failure that repeats is one line a minute, with the number of lines that it stands for. */
interface Lines {
  info(...args: unknown[]): void;
  warn(...args: unknown[]): void;
  error(...args: unknown[]): void;
}

const QUIET_MS = 60_000;
/** Kinds of messages that are remembered; beyond it all are forgotten. */
const MAX_KINDS = 1_000;

interface Kind {
  readonly since: number;
  omitted: number;
}

/**
 * @param isRepeating of the error that a line tells of: whether the line may stand for others
 * @param now monotonic milliseconds
 */
export function steadyLogger(logger: Lines, isRepeating: (error: unknown) => boolean, now: () => number): Lines {
  const kinds = new Map<string, Kind>();
  const write = (level: "warn" | "error", args: unknown[]): void => {
    const [message, error, ...more] = args;
    if (typeof message !== "string" || !isRepeating(error)) return logger[level](...args);
    const kind = kindOf(message);
    const before = kinds.get(kind);
    if (before && now() - before.since < QUIET_MS) {
      before.omitted++;
      return;
    }
    if (kinds.size >= MAX_KINDS) kinds.clear();
    kinds.set(kind, { since: now(), omitted: 0 });
    const omitted = before?.omitted ?? 0;
    logger[level](omitted === 0 ? message : `${message} (${omitted} more since the last such line)`, error, ...more);
  };
  return {
    info: (...args) => logger.info(...args),
    warn: (...args) => write("warn", args),
    error: (...args) => write("error", args),
  };
}

/** The message without ids and numbers, which differ from line to line. */
const kindOf = (message: string): string => message.replace(/\S*\d\S*/g, "#").replace(/(taskflow|by|to) \S+/gi, "$1 #");
