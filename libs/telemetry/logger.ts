import { pino } from 'pino'
import type { DestinationStream, Logger as PinoLogger } from 'pino'
import pretty from 'pino-pretty'

/** pino: one JSON line an event; children carry `plugin`, `job`, `attempt`, `correlation_id`. */
export type Logger = PinoLogger

/** Accepted as `log.level`, most severe first. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LoggerOptions {
  readonly level: LogLevel
  /** Coloured lines for people instead of JSON; meant for terminals. Default: false. */
  readonly pretty?: boolean
  /** Fields of every line. Default: none (`pid` and `hostname` are left out). */
  readonly base?: Readonly<Record<string, unknown>>
  /** More paths whose values are replaced by `[redacted]`, in pino's syntax: `payload.password`, `*.token`. Default: none. */
  readonly redact?: readonly string[]
  /** Where lines go. Default: stdout, written synchronously so that nothing is lost when the process ends. */
  readonly destination?: DestinationStream
}

const SECRET_HEADERS = ['authorization', 'Authorization', '["x-plugin-key"]', '["X-Plugin-Key"]', 'cookie']

/** Errors go under `err`; the values of secret headers are replaced wherever `headers` are logged. */
export function createLogger(options: LoggerOptions): Logger {
  const destination = options.destination ?? pino.destination({ dest: 1, sync: true })
  return pino(
    {
      level: options.level,
      base: options.base ?? null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
      redact: { paths: [...SECRET_HEADERS.flatMap((name) => redactedPaths(name)), ...(options.redact ?? [])], censor: '[redacted]' },
    },
    options.pretty ? pretty({ destination, sync: true, ignore: 'pid,hostname' }) : destination,
  )
}

function redactedPaths(name: string): string[] {
  const member = name.startsWith('[') ? name : `.${name}`
  return [`headers${member}`, `req.headers${member}`, `request.headers${member}`]
}
