import { compileGlob } from '../../event-log/glob.ts'
import type { ExecutionMode, Permission } from '../../manifest/index.ts'

/** What a plugin may ask to do with a resource. */
export type PermissionVerb = 'read' | 'write' | 'execute' | 'emit' | 'subscribe'

/** `unsaid`: no rule matches, which denies. */
export type Decision = 'allow' | 'deny' | 'unsaid'
export type Decide = (resource: string, verb: PermissionVerb) => Decision

/**
 * Compiles a manifest's `permissions`: in order, the first rule whose glob and verb fit decides. Without a block (null) a trusted or
 * legacy plugin may do everything, a sandboxed one nothing. A glob of length p meets a resource of length t in at most p·t steps. Pure.
 */
export function compileRules(rules: readonly Permission[] | null, mode: ExecutionMode): Decide {
  if (rules === null) {
    const always: Decision = mode === 'sandboxed' ? 'deny' : 'allow'
    return () => always
  }
  const compiled = rules.map(({ resource, actions, effect }) => ({ fits: compileGlob(resource), verbs: new Set<string>(actions), effect }))
  return (resource, verb) => {
    const first = compiled.find(({ fits, verbs }) => (verbs.has('*') || verbs.has(verb)) && fits(resource))
    return first?.effect ?? 'unsaid'
  }
}

/** Resources come from callers (event names, hosts, keys): a memory that grew with them would be a leak. */
const MAX_REMEMBERED = 2_000

/** The same answers, remembered: rules never change in the life of a plugin instance. */
export function remembered(decide: Decide): Decide {
  const known: Record<PermissionVerb, Map<string, Decision>> = {
    read: new Map(),
    write: new Map(),
    execute: new Map(),
    emit: new Map(),
    subscribe: new Map(),
  }
  return (resource, verb) => {
    const ofVerb = known[verb]
    const before = ofVerb.get(resource)
    if (before !== undefined) return before
    const decision = decide(resource, verb)
    if (ofVerb.size >= MAX_REMEMBERED) ofVerb.clear()
    ofVerb.set(resource, decision)
    return decision
  }
}
