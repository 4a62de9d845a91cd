import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createDatabase } from './database.ts'

/** A message of the wire protocol: type, length, content. https://www.postgresql.org/docs/18/protocol-message-formats.html */
function message(type: string, content: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(content.length + 4, 1)
  return Buffer.concat([head, content])
}

const AUTHENTICATED = message('R', Buffer.from([0, 0, 0, 0]))
const READY = message('Z', Buffer.from('I'))
const GOING = message('E', Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'))

test('a server that says ready and goodbye in one packet costs the statement, not the process', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(Buffer.concat([AUTHENTICATED, READY, GOING])))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const isNet = (found: typeof address): found is AddressInfo => typeof found === 'object' && found !== null
  assert.ok(isNet(address))
  const database = createDatabase({ url: `postgres://someone@127.0.0.1:${address.port}/db`, applicationName: 'test' })
  try {
    await assert.rejects(database.run('select 1'), { code: 'database_unavailable' })
  } finally {
    await database.close()
    server.close()
    await once(server, 'close')
  }
})
