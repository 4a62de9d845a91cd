import { spawn } from 'node:child_process'
import type { ChildProcess, ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'

const XCORE = join(import.meta.dirname, '..', 'apps', 'cli', 'bin', 'xcore.js')

export interface CliOptions {
  readonly cwd: string
  /** Over an environment without any setting of XCore. */
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export function spawnCli(args: readonly string[], options: CliOptions): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [XCORE, ...args], { cwd: options.cwd, env: cleanEnv(options.env), stdio: 'pipe' })
}

/** Runs `xcore …` as a real process to its end. */
export async function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  const child = spawnCli(args, options)
  const closed = new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject))
  child.stdin.end(options.input ?? '')
  const [code, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)])
  return { code, stdout, stderr }
}

/** A service that runs: `xcore start`, `api` or `worker`. */
export interface RunningCli extends AsyncDisposable {
  readonly child: ChildProcess
  readonly url: string
  /** All lines of stdout so far. */
  readonly lines: readonly string[]
  /** Resolves with the exit code, or with the signal that killed it. */
  readonly ended: Promise<number | NodeJS.Signals | null>
  /** Resolves with the first line, past or to come, that the predicate takes. Rejects when the process ends without one. */
  line(matches: (line: string) => boolean): Promise<string>
}

/** Starts a service and waits until it tells its URL. Disposing kills it. */
export async function startCli(args: readonly string[], options: CliOptions): Promise<RunningCli> {
  const child = spawnCli(args, options)
  const lines: string[] = []
  const watchers = new Set<(line: string) => void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    for (const watcher of watchers) watcher(line)
  })
  const stderr = text(child.stderr)
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)))

  async function line(matches: (line: string) => boolean): Promise<string> {
    const past = lines.find(matches)
    if (past !== undefined) return past
    const { promise, resolve } = Promise.withResolvers<string>()
    const watcher = (next: string) => {
      if (matches(next)) resolve(next)
    }
    watchers.add(watcher)
    const gone = ended.then(async (code) => {
      throw new Error(`ended (${code}) before the line came.\nstdout:\n${lines.join('\n')}\nstderr:\n${await stderr}`)
    })
    try {
      return await Promise.race([promise, gone])
    } finally {
      watchers.delete(watcher)
      gone.catch(() => {})
    }
  }
  const listening = await line((each) => urlIn(each) !== undefined)
  return {
    child,
    url: urlIn(listening) ?? '',
    lines,
    ended,
    line,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

function urlIn(line: string): string | undefined {
  return /http:\/\/[\w.:[\]]+/.exec(line)?.[0]
}

function cleanEnv(extra: Readonly<Record<string, string>> = {}): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(XCORE_|DATABASE_URL$|REDIS_URL$|NODE_TEST_CONTEXT$)/.test(name))
  return { ...Object.fromEntries(kept), NO_COLOR: '1', ...extra }
}

export interface TestFolder extends AsyncDisposable {
  readonly path: string
  write(files: Readonly<Record<string, string>>): Promise<void>
}

/** A folder of its own, removed at the end. */
export async function testFolder(): Promise<TestFolder> {
  const path = await mkdtemp(join(tmpdir(), 'xcore-cli-'))
  return {
    path,
    async write(files) {
      for (const [name, content] of Object.entries(files)) {
        await mkdir(dirname(join(path, name)), { recursive: true })
        await writeFile(join(path, name), content)
      }
    },
    async [Symbol.asyncDispose]() {
      // The database server of a killed process is still writing while it stops.
      await rm(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    },
  }
}
