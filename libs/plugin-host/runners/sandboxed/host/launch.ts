import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { Duplex, Readable } from 'node:stream'
import { XCoreError } from '../../../../errors/index.ts'
import { commandOf } from './rings.ts'
import type { LaunchPlan } from './rings.ts'

export interface Launched {
  /** File descriptor 3 of the child. */
  readonly wire: Duplex
  readonly stdout: Readable
  readonly stderr: Readable
  /** Of the sandboxed Node itself, for /proc; behind bwrap it is known a moment later. */
  nodePid(): number | undefined
  /** Resolves once the process is gone; never rejects. */
  readonly exited: Promise<Exit>
  /** SIGKILL. Idempotent. */
  kill(): void
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Why it could not be started at all. */
  readonly error: Error | null
}

/** Every sandbox of this process that is alive, for tests: stop and reload leave none. */
export const live = new Set<Launched>()

/** Starts a sandbox: nothing of this process's environment, working directory or file descriptors goes with it. */
export function launch(plan: LaunchPlan): Launched {
  const [command, ...args] = commandOf(plan)
  const child = spawn(command, args, {
    env: {},
    cwd: '/',
    // A session of its own: a Ctrl-C in the terminal is the host's to handle.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', ...(plan.ring === 'bwrap' ? (['pipe'] as const) : [])],
  })
  const { promise: exited, resolve } = Promise.withResolvers<Exit>()
  child.on('error', (error) => resolve({ code: null, signal: null, error }))
  child.on('exit', (code, signal) => resolve({ code, signal, error: null }))
  const wire = child.stdio[3]
  if (!(wire instanceof Duplex) || child.stdout === null || child.stderr === null) {
    throw new XCoreError('sandbox_boot_failed', `the sandbox could not be started: ${command} gave no pipes`)
  }
  const inner = plan.ring === 'bwrap' ? innerPid(child) : () => child.pid
  const launched: Launched = {
    wire,
    stdout: child.stdout,
    stderr: child.stderr,
    exited,
    nodePid: inner,
    // Behind bwrap its own end takes the namespace, and so everything inside, with it.
    kill: () => void child.kill('SIGKILL'),
  }
  live.add(launched)
  void exited.then(() => live.delete(launched))
  return launched
}

/** bwrap tells the pid of what it runs as JSON on file descriptor 4. */
function innerPid(child: ChildProcess): () => number | undefined {
  let text = ''
  const info = child.stdio[4]
  if (info instanceof Readable) {
    info.setEncoding('utf8')
    info.on('data', (piece: string) => {
      if (text.length < 4096) text += piece
    })
    info.on('error', () => {})
  }
  return () => {
    const found = /"child-pid":\s*(\d+)/.exec(text)
    return found === null ? undefined : Number(found[1])
  }
}
