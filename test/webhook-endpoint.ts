import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'

export interface Received {
  readonly headers: Record<string, string>
  readonly body: string
}

/** An endpoint that answers each request as the next of `answers` says and hands out what it got. */
export async function endpoint(...answers: readonly ((res: ServerResponse) => void)[]) {
  const received: Received[] = []
  const all = Promise.withResolvers<readonly Received[]>()
  const listener = async (req: IncomingMessage, res: ServerResponse) => {
    const body = await new Response(req).text()
    const headers = Object.fromEntries(Object.entries(req.headers).map(([name, value]) => [name, String(value)]))
    const answer = answers[received.push({ headers, body }) - 1]
    if (answer === undefined) res.writeHead(418).end()
    else answer(res)
    if (received.length === answers.length) all.resolve(received)
  }
  const server = createServer((req, res) => void listener(req, res))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    url: `http://127.0.0.1:${address.port}/hook`,
    /** Once every answer has been given. */
    all: all.promise,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Answers with a status and nothing else. */
export const says =
  (status: number, headers: Record<string, string> = {}) =>
  (res: ServerResponse) =>
    void res.writeHead(status, headers).end()
