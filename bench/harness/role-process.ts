import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { processCpuSeconds, residentBytes } from './cpu.ts'
import type { Assignment, ChildMessage, ParentMessage } from './messages.ts'

const ENTRY = fileURLToPath(new URL('./role.ts', import.meta.url))
const CLOSE_MS = 15_000

type Kind = ChildMessage['kind']

/** A role in a process of its own. Close it in any case. */
export class RoleProcess {
  readonly #child: ChildProcess
  readonly #name: string
  readonly #heard: ChildMessage[] = []
  #wake: () => void = () => {}

  private constructor(name: string, child: ChildProcess) {
    this.#name = name
    this.#child = child
    child.on('message', (message: ChildMessage) => this.#hear(message))
    child.on('exit', (code, signal) => this.#hear({ kind: 'failed', message: `ended by itself (code ${code}, signal ${signal})` }))
  }

  /** Starts it and waits until it is ready. `profile`: folder for a V8 CPU profile. */
  static async start(assignment: Assignment, profile: string | null = null): Promise<{ process: RoleProcess; url: string }> {
    const profiling =
      profile === null
        ? []
        : ['--cpu-prof', `--cpu-prof-dir=${profile}`, `--cpu-prof-name=${assignment.role}-${assignment.contender}-${Date.now()}.cpuprofile`]
    const child = fork(ENTRY, [JSON.stringify(assignment)], {
      execArgv: ['--expose-gc', ...profiling],
      env: { ...process.env, NODE_ENV: 'production' },
    })
    const started = new RoleProcess(`${assignment.contender} ${assignment.role}`, child)
    try {
      const ready = await started.expect('ready')
      return { process: started, url: ready.url ?? '' }
    } catch (cause) {
      await started.close()
      throw cause
    }
  }

  get cpuSeconds(): number {
    return this.#child.pid === undefined ? 0 : processCpuSeconds(this.#child.pid)
  }

  get residentBytes(): number {
    return this.#child.pid === undefined ? 0 : residentBytes(this.#child.pid)
  }

  send(message: ParentMessage): void {
    this.#child.send(message)
  }

  /** The next message of this kind. Throws when the process reports a failure or ends. */
  async expect<K extends Kind>(kind: K): Promise<Extract<ChildMessage, { kind: K }>> {
    for (;;) {
      for (const [index, message] of this.#heard.entries()) {
        if (message.kind === 'failed') throw new Error(`${this.#name}: ${message.message}`)
        if (isKind(message, kind)) {
          this.#heard.splice(index, 1)
          return message
        }
      }
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  async close(): Promise<void> {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    if (child.connected) this.send({ kind: 'close' })
    const deadline = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS)
    await exit
    clearTimeout(deadline)
  }

  #hear(message: ChildMessage): void {
    this.#heard.push(message)
    this.#wake()
  }
}

function isKind<K extends Kind>(message: ChildMessage, kind: K): message is Extract<ChildMessage, { kind: K }> {
  return message.kind === kind
}
