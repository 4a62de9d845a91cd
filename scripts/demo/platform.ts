import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const ROOT = resolve(import.meta.dirname, '../..')
const BIN = join(ROOT, 'apps/cli/bin/xcore.js')
const START_MS = 60_000
const STOP_MS = 20_000

export interface Platform extends AsyncDisposable {
  readonly url: string
  /** Seconds from the command to the answer of /readyz. */
  readonly startSeconds: number
  /** What GitHub would sign its deliveries with. */
  readonly githubSecret: string
}

/**
 * `xcore start` in a process of its own: a fresh embedded Postgres in a temporary folder, a free port, the example plugins.
 * Throws when it does not get ready, or when `signal` aborts; then nothing is left behind.
 */
export async function startPlatform(signal: AbortSignal): Promise<Platform> {
  await using undo = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'xcore-demo-'))
  undo.defer(() => rm(folder, { recursive: true, force: true }))
  const githubSecret = randomBytes(24).toString('hex')
  const env = {
    // Nothing of the caller's own XCore: no database, no keys, no other plugins.
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(XCORE_|DATABASE_URL$|REDIS_URL$)/.test(name))),
    XCORE_HTTP_PORT: '0',
    XCORE_DATA_DIR: join(folder, 'data'),
    XCORE_PLUGINS_DIR: join(ROOT, 'plugins'),
    XCORE_LOG_LEVEL: 'warn',
    GITHUB_WEBHOOK_SECRET: githubSecret,
    WEBHOOKS_SECRET: randomBytes(24).toString('hex'),
    // The receiver of the demo listens on loopback.
    WEBHOOKS_ALLOW_PRIVATE: 'true',
  }
  const began = performance.now()
  // Detached: a Ctrl-C in the terminal comes to the demo alone, which then stops this one in order.
  const child = spawn(process.execPath, [BIN, 'start'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const exited = once(child, 'exit')
  undo.defer(async () => {
    child.kill('SIGTERM')
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await exited
    clearTimeout(force)
  })
  const output: string[] = []
  const found = Promise.withResolvers<string>()
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (output.push(line) > 200) output.shift()
      const url = /http:\/\/[\d.]+:\d+/.exec(line)
      if (url !== null) found.resolve(url[0])
    })
  }
  const failed = (why: string) => new Error(`xcore start ${why}. Its last lines:\n${output.join('\n')}`)
  const late = setTimeout(() => found.reject(failed(`told no URL within ${START_MS / 1000} s`)), START_MS)
  const giveUp = () => found.reject(signal.reason)
  signal.addEventListener('abort', giveUp)
  exited.then(([code]) => found.reject(failed(`ended with ${code}`)), found.reject)
  try {
    const url = await found.promise
    const ready = await fetch(`${url}/readyz`)
    if (!ready.ok) throw failed(`is not ready: ${await ready.text()}`)
    const startSeconds = (performance.now() - began) / 1000
    const running = undo.move()
    return {
      url,
      startSeconds,
      githubSecret,
      [Symbol.asyncDispose]: () => running.disposeAsync(),
    }
  } finally {
    clearTimeout(late)
    signal.removeEventListener('abort', giveUp)
  }
}
