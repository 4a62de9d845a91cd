import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, test } from 'node:test'
import { LOG_LEVELS, createLogger } from './index.ts'
import type { LoggerOptions } from './index.ts'

function lines(options: Partial<LoggerOptions> = {}) {
  const written: string[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk.toString())
      done()
    },
  })
  return { logger: createLogger({ level: 'info', destination, ...options }), written }
}

describe('logger', () => {
  test('writes one JSON line with level, time, base fields, those of its children, and the message', () => {
    const { logger, written } = lines({ base: { process: 'worker' } })
    logger.child({ plugin: 'shop', job: 'j1', attempt: 2, correlation_id: 'c1' }).info('done')
    assert.equal(written.length, 1)
    const { time, ...rest }: Record<string, unknown> = JSON.parse(written[0] ?? '')
    assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    assert.deepEqual(rest, { level: 'info', process: 'worker', plugin: 'shop', job: 'j1', attempt: 2, correlation_id: 'c1', msg: 'done' })
  })

  test('errors carry message, stack and cause under err', () => {
    const { logger, written } = lines()
    logger.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed')
    const { err }: { err: Record<string, string> } = JSON.parse(written[0] ?? '')
    assert.match(err['message'] ?? '', /^outer/)
    assert.match(err['stack'] ?? '', /inner/)
  })

  test('keys never reach the log', () => {
    const { logger, written } = lines()
    const headers = {
      authorization: 'Bearer k1',
      'x-plugin-key': 'k2',
      Authorization: 'k3',
      'X-Plugin-Key': 'k4',
      cookie: 'k5',
      accept: '*/*',
    }
    logger.info({ headers, req: { headers }, request: { headers } })
    assert.doesNotMatch(written.join(''), /k[1-5]/)
    assert.match(written.join(''), /"accept":"\*\/\*"/)
  })

  test('so do values at the paths of `redact`', () => {
    const { logger, written } = lines({ redact: ['payload.password', '*.token', 'headers["x-secret"]'] })
    logger.child({ plugin: 'shop' }).info({ payload: { password: 'k1', name: 'n' }, reply: { token: 'k2' }, headers: { 'x-secret': 'k3' } })
    assert.doesNotMatch(written.join(''), /k[1-3]/)
    assert.match(written.join(''), /"name":"n"/)
  })

  test('lines below the level are not written', () => {
    const { logger, written } = lines({ level: 'warn' })
    logger.info('no')
    logger.warn('yes')
    assert.equal(written.length, 1)
  })

  test('pretty lines are for people', () => {
    const { logger, written } = lines({ pretty: true })
    logger.info({ plugin: 'shop' }, 'done')
    assert.match(written.join(''), /INFO.*: done/)
    assert.throws(() => void JSON.parse(written.join('')))
  })

  test('every level of the list is one that pino knows', () => {
    for (const level of LOG_LEVELS) assert.equal(lines({ level }).logger.level, level)
  })
})
