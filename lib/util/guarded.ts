/**
 * Keeps what a callback throws from its caller: a library that would stop reading, a timer that
 * would end the process.
 */

/** The logger's part that is needed here. */
interface ErrorLogger {
  error(message: string, error: unknown): void;
}

/** The same callback; what it throws is logged as `sentence`, and goes no further. */
export function guarded<Given extends readonly unknown[]>(
  logger: ErrorLogger,
  sentence: string,
  callback: (...given: Given) => void,
): (...given: Given) => void {
  return (...given) => {
    try {
      callback(...given);
    } catch (error) {
      logger.error(sentence, error);
    }
  };
}
