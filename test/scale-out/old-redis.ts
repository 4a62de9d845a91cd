import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'

export interface OldRedis extends AsyncDisposable {
  readonly url: string
}

/** Answers like a Redis of another version; what is asked of it before it is refused, and no more. */
export async function oldRedis(version: string): Promise<OldRedis> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (data) => {
      for (const [, command = ''] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g))
        socket.write(answer(command.toUpperCase()))
    })
  })
  function answer(command: string): string {
    if (command === 'PING') return '+PONG\r\n'
    if (command === 'HELLO') return '-ERR unknown command `HELLO`\r\n'
    if (command !== 'INFO') return '+OK\r\n'
    const info = `# Server\r\nredis_version:${version}\r\nloading:0\r\nmaxmemory_policy:noeviction\r\n`
    return `$${info.length}\r\n${info}\r\n`
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `redis://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
