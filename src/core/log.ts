/** What the rest of the house logs through; pino fulfils it (telemetry/ is the only door to pino). */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
