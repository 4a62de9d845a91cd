import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Logger } from '../../telemetry/logger.ts'
import { POSTGRES_ENV } from './cluster.ts'
import type { RunAs } from './run-as.ts'
import { serverArguments } from './settings.ts'
import type { ServerSettings } from './settings.ts'

/** One run of the server program. */
export interface ServerProcess {
  readonly pid: number
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>
  /** Fast shutdown; a server that takes longer than 20 s is stopped harder. */
  stop(): Promise<void>
}

export type ServerStart =
  | { readonly started: true; readonly server: ServerProcess }
  | { readonly started: false; readonly reason: 'port_taken' | 'still_stopping' | 'failed'; readonly output: string }

const STEPS = [
  { signal: 'SIGINT', seconds: 20 },
  { signal: 'SIGQUIT', seconds: 5 },
  { signal: 'SIGKILL', seconds: 5 },
] as const

/** Starts the server and waits until it accepts connections; after a crash that includes its recovery, however long. */
export async function startServer(
  program: string,
  clusterDir: string,
  settings: ServerSettings,
  runAs: RunAs,
  logger: Logger,
): Promise<ServerStart> {
  const { program: file, args, ...user } = runAs.command(program, ['-D', clusterDir, ...serverArguments(settings)])
  // A session of its own: Ctrl-C in the terminal must reach XCore only, which drains its jobs before it stops the server.
  const child = spawn(file, args, { ...user, env: POSTGRES_ENV, stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  const killNow = () => child.kill('SIGINT')
  process.once('exit', killNow)
  const lastLines: string[] = []
  const { promise: ready, resolve: becomeReady } = Promise.withResolvers<true>()
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.includes('database system is ready to accept connections')) becomeReady(true)
    if (lastLines.push(line) > 20) lastLines.shift()
    logLine(logger, line)
  })
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      lastLines.push(error.message)
      resolve()
    })
    child.once('close', () => resolve())
  }).then(() => void process.removeListener('exit', killNow))

  if (!(await Promise.race([ready, ended.then(() => false)]))) {
    const output = lastLines.join('\n')
    return { started: false, reason: reasonOf(output), output }
  }
  const stop = async () => {
    for (const { signal, seconds } of STEPS) {
      child.kill(signal)
      if (await within(ended, seconds)) return
      logger.warn({ signal, seconds }, 'the embedded database did not stop in time')
    }
  }
  return { started: true, server: { pid: child.pid ?? 0, ended, stop } }
}

function reasonOf(output: string): 'port_taken' | 'still_stopping' | 'failed' {
  if (/could not bind|could not create any TCP\/IP sockets|Address already in use/.test(output)) return 'port_taken'
  // The last processes of a server that was killed are on their way out.
  if (/pre-existing shared memory block|lock file "postmaster\.pid" already exists/.test(output)) return 'still_stopping'
  return 'failed'
}

async function within(event: Promise<void>, seconds: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(resolve, seconds * 1000, false)
  try {
    return await Promise.race([event.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Errors of statements are answered to whoever sent them, so here they are for `debug` only. */
function logLine(logger: Logger, line: string): void {
  const level = /^(PANIC|FATAL|WARNING):/.exec(line)?.[1]
  if (level === 'PANIC') logger.error({ source: 'postgres' }, line)
  else if (level !== undefined) logger.warn({ source: 'postgres' }, line)
  else logger.debug({ source: 'postgres' }, line)
}
