/** Where the coordinator says what people should know. Moleculer's loggers fit. */
export interface Logger {
  info(...args: unknown[]): void;
  warn(...args: unknown[]): void;
  error(...args: unknown[]): void;
}
