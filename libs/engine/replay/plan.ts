import type { PluginDirectory } from '../plugin-port.ts'
import type { Database } from '../../postgres/sql.ts'
import type { Candidate, ClassifyOptions, Verdict } from './classify.ts'
import { classify } from './classify.ts'
import { worldOf } from './batch.ts'
import { candidatesAfter, countJobs } from './candidates.ts'
import type { JobSelection } from './candidates.ts'
import type { LeftOut, ReplayPlan } from './port.ts'

const MOST_CHECKED = 100_000
const PAGE = 1_000
const MOST_INVALID = 20
const MOST_UNHANDLED = 50
const MOST_SAMPLED = 10
const MOST_NAMES = 200

export type PlannedVerdict = { readonly kind: 'replay' } | Extract<Verdict, { kind: 'left out' }>

/** Gathers verdicts into a plan of bounded size. Pure. */
export class PlanTally {
  #checked = 0
  #toReplay = 0
  readonly #byPlugin = new Map<string, number>()
  readonly #byName = new Map<string, number>()
  readonly #byError = new Map<string, number>()
  readonly #leftOut: Partial<Record<LeftOut, number>> = {}
  readonly #invalid: ReplayPlan['invalid'][number][] = []
  readonly #unhandled = new Map<string, ReplayPlan['unhandled'][number]>()
  readonly #sample: ReplayPlan['sample'][number][] = []

  get checked(): number {
    return this.#checked
  }

  add(candidate: Pick<Candidate, 'kind' | 'plugin' | 'name' | 'errorCode'> & { readonly id: string }, verdict: PlannedVerdict): void {
    const { id: item, kind, plugin, name, errorCode } = candidate
    this.#checked++
    count(this.#byPlugin, plugin)
    count(this.#byName, `${plugin}/${name}`)
    if (errorCode !== null) count(this.#byError, errorCode)
    if (verdict.kind === 'replay') {
      this.#toReplay++
      if (this.#sample.length < MOST_SAMPLED) this.#sample.push({ item, kind, plugin, name, errorCode })
      return
    }
    this.#leftOut[verdict.reason] = (this.#leftOut[verdict.reason] ?? 0) + 1
    if (verdict.reason === 'invalid' && this.#invalid.length < MOST_INVALID) {
      this.#invalid.push({ item, plugin, name, issues: verdict.issues })
    }
    if (verdict.reason === 'unhandled') this.#addUnhandled(plugin, name, verdict.why)
  }

  plan(matched: number): ReplayPlan {
    return {
      matched: Math.max(matched, this.#checked),
      checked: this.#checked,
      toReplay: this.#toReplay,
      byPlugin: sorted(this.#byPlugin),
      byName: sorted(this.#byName),
      byError: sorted(this.#byError),
      leftOut: this.#leftOut,
      invalid: this.#invalid,
      unhandled: [...this.#unhandled.values()],
      sample: this.#sample,
    }
  }

  #addUnhandled(plugin: string, name: string, why: string): void {
    const key = `${plugin}/${name}`
    const known = this.#unhandled.get(key)
    if (known === undefined && this.#unhandled.size >= MOST_UNHANDLED) return
    this.#unhandled.set(key, { plugin, name, why, count: (known?.count ?? 0) + 1 })
  }
}

/** Names may come from outside: what is beyond the first 200 is counted together. */
function count(counts: Map<string, number>, name: string): void {
  const key = counts.has(name) || counts.size < MOST_NAMES ? name : '_other'
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** Most frequent first. */
function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)))
}

/** A dry run: each job goes through the same decision as when it is carried out. In pages, so in constant memory. */
export async function planJobs(
  database: Database,
  plugins: PluginDirectory,
  selection: JobSelection,
  options: ClassifyOptions,
): Promise<ReplayPlan> {
  const world = await worldOf(database, plugins)
  const tally = new PlanTally()
  let after: string | null = null
  while (tally.checked < MOST_CHECKED) {
    const page: Candidate[] = await candidatesAfter(database, selection, after, PAGE)
    for (const candidate of page) tally.add(candidate, classify(candidate, world, options))
    after = page.at(-1)?.id ?? null
    if (after === null) return tally.plan(tally.checked)
  }
  return tally.plan(await countJobs(database, selection))
}
