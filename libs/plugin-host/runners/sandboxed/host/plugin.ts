import type { Acceptance, HandlerResult, Invocation } from '../../../../engine/plugin-port.ts'
import type { Subscription } from '../../../../engine/port.ts'
import type { Middleware } from 'koa'
import type { ActionInfo, RouteInfo } from '../../../port.ts'
import type { Departure, LoadedPlugin, SandboxStatus } from '../../../runner.ts'
import { anyObject, interpretCheck } from '../../trusted/validation.ts'
import type { PayloadCheck } from '../../trusted/validation.ts'
import { hostSchema } from './host-schema.ts'
import type { Supervisor } from './supervisor.ts'

/** From the deadline to the end of the process at the latest, with some to spare on a busy machine. */
const GRACE_MS = 2_000

/** Of declared routes: those that /openapi.json has a word for. */
const SHOWN_METHODS: readonly string[] = ['GET', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'PATCH']

/** A sandboxed plugin as the host and the engine see it: the same as one in this process. */
export class SandboxedPlugin implements LoadedPlugin {
  readonly #supervisor: Supervisor
  readonly #checks: ReadonlyMap<string, PayloadCheck>
  readonly #freeForm: boolean
  readonly actions: readonly ActionInfo[]
  readonly routes: readonly RouteInfo[]
  readonly middleware: Middleware | null
  readonly graceMs = GRACE_MS

  constructor(supervisor: Supervisor, middleware: Middleware | null) {
    this.#supervisor = supervisor
    this.middleware = middleware
    const { actions, freeForm, declaredRoutes } = supervisor.loaded
    this.#freeForm = freeForm
    this.routes = declaredRoutes.filter(({ method }) => SHOWN_METHODS.includes(method))
    this.actions = actions.map(({ name, input, output = null, description }) => ({
      name,
      input,
      output,
      ...(description === undefined ? {} : { description }),
    }))
    this.#checks = new Map(actions.map(({ name, input }) => [name, input === null ? anyObject : interpretCheck(hostSchema(input))]))
  }

  /** Other plugins' jobs do not wait for a sandbox: `ctx.hooks` is for trusted plugins. */
  hooks() {
    return []
  }

  subscriptions(): readonly Subscription[] {
    return this.#supervisor.offer.subscriptions()
  }

  accepts(action: string, payload: unknown): Acceptance {
    const check = this.#checks.get(action)
    if (check === undefined && !this.#freeForm) return { ok: false, reason: 'unknown' }
    const issues = (check ?? anyObject)(payload)
    return issues.length === 0 ? { ok: true } : { ok: false, reason: 'invalid', issues }
  }

  execute(invocation: Invocation): Promise<HandlerResult> {
    return this.#supervisor.execute(invocation)
  }

  publish(): Promise<void> {
    return this.#supervisor.offer.publish()
  }

  handOver(): Promise<unknown> {
    return this.#supervisor.handOver()
  }

  retire(): void {
    this.#supervisor.offer.retire()
  }

  unload(why: Departure): Promise<void> {
    return this.#supervisor.unload(why)
  }

  refusal() {
    return this.#supervisor.refusal()
  }

  sandbox(): SandboxStatus {
    return this.#supervisor.status()
  }

  resume(): void {
    this.#supervisor.resume()
  }
}
