import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A child process that tells its news as JSON lines on stdout and ends when its stdin closes. */
export interface TestProcess extends AsyncDisposable {
  readonly pid: number
  /** The next line. Rejects with what the process said on stderr when it ends first. */
  next(): Promise<Record<string, unknown>>
  kill(signal: NodeJS.Signals): Promise<void>
  /** Closes its stdin and waits for the end. */
  end(): Promise<void>
}

/** Runs one of the programs of this folder with Node. `env` adds to this process's environment. */
export function startProcess(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): TestProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, `${program}.ts`), ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  const ended = once(child, 'close')
  const end = async () => {
    child.stdin.end()
    await ended
  }
  return {
    pid: child.pid ?? 0,
    next: async () => {
      const { done, value } = await lines.next()
      if (done === true) throw new Error(`${program} ended early: ${stderr}`)
      return Object(JSON.parse(value))
    },
    kill: async (signal) => {
      child.kill(signal)
      await ended
    },
    end,
    [Symbol.asyncDispose]: end,
  }
}
