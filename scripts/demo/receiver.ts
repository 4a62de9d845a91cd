import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Webhook } from 'standardwebhooks'

/** How an endpoint of the receiver treats what it gets. `first`: only the first attempt of each message. */
export interface Conduct {
  readonly name: string
  readonly events: readonly string[]
  readonly says: string
  answer(attempt: number, res: ServerResponse): void
}

const accept = (res: ServerResponse) => res.writeHead(204).end()

/** One endpoint for each thing that receivers do in real life. */
export const CONDUCTS: readonly Conduct[] = [
  { name: 'reliable', events: ['github.*'], says: 'always accepts', answer: (_, res) => accept(res) },
  {
    name: 'flaky',
    events: ['github.pull_request.*', 'github.issues.*'],
    says: '500 at first, then accepts',
    answer: (attempt, res) => (attempt === 1 ? res.writeHead(500).end('database is restarting') : accept(res)),
  },
  {
    name: 'busy',
    events: ['github.push', 'github.release.*'],
    says: '429 with Retry-After: 1 at first',
    answer: (attempt, res) => (attempt === 1 ? res.writeHead(429, { 'retry-after': '1' }).end('too many requests') : accept(res)),
  },
  {
    name: 'slow',
    events: ['github.star.*', 'github.watch.*'],
    says: 'no answer at first: a timeout',
    answer: (attempt, res) => (attempt === 1 ? undefined : accept(res)),
  },
  {
    name: 'gone',
    events: ['github.label.*'],
    says: 'always 410: final',
    answer: (_, res) => res.writeHead(410).end('endpoint was removed'),
  },
  { name: 'down', events: ['github.milestone.*'], says: 'always 503', answer: (_, res) => res.writeHead(503).end('maintenance') },
]

export interface Tally {
  requests: number
  /** Different messages that were answered with 2xx. */
  accepted: Set<string>
  /** 2xx for a message that had been accepted before. */
  duplicates: number
  badSignatures: number
  /** 429s that came back before their Retry-After was over. */
  tooEarly: number
}

export interface Receiver extends AsyncDisposable {
  readonly url: string
  tally(name: string): Tally
  /** Must be told before the first delivery. */
  setSecret(name: string, secret: string): void
}

interface Desk {
  readonly conduct: Conduct
  readonly tally: Tally
  readonly attempts: Map<string, { count: number; lastAt: number }>
  secret: string
}

/** A server that stands for other people's: verifies the signature of each delivery, then behaves as its path says. */
export async function startReceiver(): Promise<Receiver> {
  const desks = new Map<string, Desk>()
  for (const conduct of CONDUCTS) {
    const tally = { requests: 0, accepted: new Set<string>(), duplicates: 0, badSignatures: 0, tooEarly: 0 }
    desks.set(conduct.name, { conduct, tally, attempts: new Map(), secret: '' })
  }
  const desk = (name: string): Desk => {
    const found = desks.get(name)
    if (found === undefined) throw new Error(`the receiver has no endpoint ${name}`)
    return found
  }
  const server = createServer((req, res) => {
    const found = desks.get(req.url?.slice(1) ?? '')
    if (found === undefined) res.writeHead(404).end()
    else void receive(found, req, res)
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the receiver has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    tally: (name) => desk(name).tally,
    setSecret: (name, secret) => {
      desk(name).secret = secret
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function receive({ conduct, tally, attempts, secret }: Desk, req: IncomingMessage, res: ServerResponse): Promise<void> {
  tally.requests += 1
  const body = await new Response(req).text()
  const id = String(req.headers['webhook-id'])
  try {
    new Webhook(secret).verify(body, {
      'webhook-id': id,
      'webhook-timestamp': String(req.headers['webhook-timestamp']),
      'webhook-signature': String(req.headers['webhook-signature']),
    })
  } catch {
    tally.badSignatures += 1
    res.writeHead(401).end('signature does not verify')
    return
  }
  const now = performance.now()
  const before = attempts.get(id)
  const count = (before?.count ?? 0) + 1
  attempts.set(id, { count, lastAt: now })
  if (conduct.name === 'busy' && before !== undefined && now - before.lastAt < 1000) tally.tooEarly += 1
  conduct.answer(count, res)
  if (!res.writableEnded || res.statusCode >= 300) return
  if (tally.accepted.has(id)) tally.duplicates += 1
  tally.accepted.add(id)
}
