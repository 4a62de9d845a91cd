import { pino } from 'pino'
import type { Logger } from '../../../../telemetry/logger.ts'
import { toJson } from '../../../to-json.ts'
import type { Channel } from '../wire/channel.ts'
import { caller } from './remote.ts'

const MAX_FIELD_BYTES = 8_192
const MAX_FIELDS = 50
const MAX_MESSAGE = 8_000
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const

/** pino as plugins know it; each line goes to the host, which adds plugin and job and decides what is kept. */
export function wireLogger(channel: Channel, level: string): Logger {
  return pino({
    level,
    browser: {
      asObject: true,
      write: (line: object) => {
        const { level: number, time: _time, msg, ...rest } = { msg: '', level: 30, time: 0, ...line }
        const fields = Object.entries(rest).slice(0, MAX_FIELDS)
        channel.send({
          t: 'log',
          for: caller.getStore() ?? null,
          level: LEVELS[Math.min(5, Math.max(0, Math.floor(Number(number) / 10) - 1))] ?? 'info',
          message: String(msg).slice(0, MAX_MESSAGE).toWellFormed().replaceAll('\u0000', '\uFFFD'),
          fields: Object.fromEntries(fields.map(([key, value]) => [key.slice(0, 100), plain(value)])),
        })
      },
    },
  })
}

function plain(value: unknown): unknown {
  const shown = value instanceof Error ? { type: value.name, message: value.message, stack: value.stack ?? '' } : value
  const converted = toJson(shown, { name: 'field', maxBytes: MAX_FIELD_BYTES })
  return converted.ok ? converted.json : `[${converted.problem}]`
}
