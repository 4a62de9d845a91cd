import type { Logger as PinoLogger } from 'pino'

/** pino: one JSON line an event; children carry `plugin`, `job`, `attempt`, `correlation_id`. */
export type Logger = PinoLogger
