import type { Issue } from '../../errors/index.ts'
import type { JobId, JobKind, Json, PluginName } from '../../event-log/index.ts'
import type { PluginDirectory, RunnablePlugin } from '../plugin-port.ts'
import type { LeftOut } from './port.ts'

/** A finished job that matches, with what decides whether it is repeated. */
export interface Candidate {
  readonly id: JobId
  readonly kind: JobKind
  readonly plugin: PluginName
  readonly name: string
  readonly priority: number
  readonly errorCode: string | null
  /** Of an event's delivery. */
  readonly subscription: string | null
  /** Of an action; that of an event is not checked by anybody. */
  readonly payload: Json
  /** What became of later replays of the same first job; cancelled ones do not count. */
  readonly later: 'none' | 'succeeded' | 'other'
}

export interface World {
  readonly plugins: Pick<PluginDirectory, 'find' | 'refusal'>
  /** `PLUGIN/SUBSCRIPTION` of all that exist. */
  readonly subscriptions: ReadonlySet<string>
}

export interface ClassifyOptions {
  readonly force: boolean
  readonly edited: { readonly payload: Json } | undefined
}

export type Verdict =
  | { readonly kind: 'replay'; readonly plugin: RunnablePlugin }
  | { readonly kind: 'left out'; readonly reason: LeftOut; readonly why: string; readonly issues: readonly Issue[] }

/** Pure, but for asking the plugin whether a payload fits. */
export function classify(candidate: Candidate, world: World, options: ClassifyOptions): Verdict {
  if (candidate.later === 'succeeded') return leftOut('already_succeeded', 'it was replayed with success since')
  if (candidate.later === 'other') return leftOut('superseded', 'a later replay of it failed or is under way')
  return fitness(candidate, world, options)
}

/** Whether the job could run now, whatever became of earlier replays. */
export function fitness(candidate: Omit<Candidate, 'later' | 'id'>, world: World, options: ClassifyOptions): Verdict {
  const plugin = world.plugins.find(candidate.plugin)
  if (plugin === undefined) {
    const refusal = world.plugins.refusal(candidate.plugin)
    return leftOut(
      'unhandled',
      refusal === undefined
        ? `the plugin ${candidate.plugin} is not here any more`
        : `the plugin ${candidate.plugin} is not ready: ${refusal.message}`,
    )
  }
  if (candidate.kind === 'event' && !world.subscriptions.has(receiverOf(candidate.plugin, candidate.subscription ?? ''))) {
    return leftOut('unhandled', `the plugin ${candidate.plugin} has no subscription ${candidate.subscription ?? '(none)'} any more`)
  }
  if (!options.force && plugin.settings(candidate.kind, candidate.name).replay === 'unsafe') {
    return leftOut('unsafe', `${candidate.plugin}.${candidate.name} is marked \`replay: unsafe\``)
  }
  if (candidate.kind !== 'action') return { kind: 'replay', plugin }
  const payload = options.edited === undefined ? candidate.payload : options.edited.payload
  const acceptance = plugin.accepts(candidate.name, payload)
  if (acceptance.ok) return { kind: 'replay', plugin }
  return acceptance.reason === 'unknown'
    ? leftOut('unhandled', `the plugin ${candidate.plugin} has no action ${candidate.name} any more`)
    : leftOut('invalid', `the payload does not fit the schema of ${candidate.plugin}.${candidate.name}`, acceptance.issues)
}

export function receiverOf(plugin: string, subscription: string): string {
  return `${plugin}/${subscription}`
}

function leftOut(reason: LeftOut, why: string, issues: readonly Issue[] = []): Verdict {
  return { kind: 'left out', reason, why, issues }
}
