import { allJobs, whenSettled } from './jobs.ts'

/** Rules as users write them: a useful one, one that is wrong about its data, and one that never ends. */
const RULES = [
  {
    id: 'repositories',
    pattern: 'github.*',
    name: 'repository',
    code: '(event) => event.data.payload.repository && { repository: event.data.payload.repository.full_name }',
  },
  { id: 'careless', pattern: 'github.star*', name: 'stars', code: '(event) => ({ stars: event.data.payload.nothing.here })' },
  { id: 'endless', pattern: 'github.ping', name: 'never', code: '(event) => { for (;;); }' },
] as const

/** Gives the sandboxed plugin `transform` users' rules, over its actions. */
export async function addRules(url: string): Promise<void> {
  for (const payload of RULES) {
    const response = await fetch(`${url}/ipc/transform/put_rule`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'wait=20' },
      body: JSON.stringify({ payload }),
    })
    if (response.status !== 200)
      throw new Error(`adding the rule ${payload.id} was answered with ${response.status}: ${await response.text()}`)
  }
}

export interface RulesReport {
  readonly events: number
  readonly made: number
  readonly failed: number
  /** Jobs whose rule was ended with the sandbox. */
  readonly ended: number
  /** Broken promises. */
  readonly wrong: readonly string[]
}

/** What the rules came to, once all events have been through them. */
export async function reportRules(url: string): Promise<RulesReport> {
  await whenSettled(url, 'transform', 60)
  const jobs = await allJobs(url, { plugin: 'transform', kind: 'event' })
  const results: readonly unknown[] = jobs.map((job) => Reflect.get(job, 'result'))
  const count = (member: string) =>
    results.reduce<number>((sum, result) => {
      const list: unknown = typeof result === 'object' && result !== null ? Reflect.get(result, member) : undefined
      return sum + (Array.isArray(list) ? list.length : 0)
    }, 0)
  const dead = jobs.filter(({ state }) => state === 'dead')
  const wrong: string[] = []
  if (count('made') === 0) wrong.push('no rule made anything')
  if (jobs.some(({ state }) => state !== 'succeeded' && state !== 'dead')) wrong.push('a job of the rules has no outcome')
  return { events: jobs.length, made: count('made'), failed: count('failed'), ended: dead.length, wrong }
}
