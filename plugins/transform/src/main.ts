import { SandboxedBase, Type, action, error, ok } from '@xcore/sdk'
import type { EventMessage, JobContext } from '@xcore/sdk'
import { applyRule, compile, fits } from './rule.ts'
import type { Rule } from './rule.ts'

const Id = Type.String({ minLength: 1, maxLength: 100 })
const Code = Type.String({ minLength: 1, maxLength: 20_000 })
const PutRule = Type.Object({ id: Id, pattern: Type.String({ minLength: 1, maxLength: 200 }), code: Code, name: Id })
const Try = Type.Object({ code: Code, event: Type.Object({ name: Type.String(), data: Type.Unknown() }) })

/** Users' mapping rules over events. Their code runs in this plugin's sandbox: what it may do is what plugin.yaml allows. */
export default class Transform extends SandboxedBase {
  override async onLoad() {
    const listen = this.ctx.config['listen']
    if (!Array.isArray(listen)) throw new Error("config.listen: expected a list of event patterns such as ['github.*']")
    for (const pattern of listen) this.ctx.events.on(String(pattern), this.onEvent, { id: `rules:${String(pattern)}` })
  }

  override actions = {
    put_rule: action({
      input: PutRule,
      description: 'Adds a rule, or replaces the one of this id',
      handler: async ({ id, pattern, code, name }) => {
        compile(code)
        const sql = `insert into rules (id, pattern, code, name) values ($1, $2, $3, $4)
          on conflict (id) do update set pattern = excluded.pattern, code = excluded.code, name = excluded.name`
        await this.getService('db').query(sql, [id, pattern, code, name])
        return ok({ id, emits: `transform.${name}` })
      },
    }),
    remove_rule: action({
      input: Type.Object({ id: Id }),
      handler: async ({ id }) => {
        const removed = await this.getService('db').query('delete from rules where id = $1 returning id', [id])
        return removed.length > 0 ? ok({ id }) : error(`there is no rule ${id}`, { code: 'not_found' })
      },
    }),
    list_rules: action({ handler: async () => ok({ rules: await this.rules() }) }),
    try_rule: action({
      input: Try,
      description: 'Runs a rule on an event, stores and emits nothing',
      handler: async ({ code, event }) => ok({ made: await applyRule(code, { ...event, time: new Date().toISOString() }) }),
    }),
  }

  async onEvent(event: EventMessage<unknown>, job: JobContext) {
    const made: string[] = []
    const failed: string[] = []
    for (const { id, pattern, code, name } of await this.rules()) {
      if (!fits(pattern, event.name)) continue
      try {
        const value = await applyRule(code, { name: event.name, data: event.data, time: event.time })
        if (value === null) continue
        // The same event again, after a retry, is answered with the first one.
        const key = `${event.id}:${id}`
        await this.ctx.events.emit(`transform.${name}`, { rule: id, source_event: event.id, value }, { idempotencyKey: key })
        made.push(id)
      } catch (thrown) {
        job.logger.warn({ rule: id, err: thrown }, 'a rule failed')
        failed.push(id)
      }
    }
    return ok({ made, failed })
  }

  private rules(): Promise<Rule[]> {
    return this.getService('db').query<Rule>('select id, pattern, code, name from rules order by id')
  }
}
