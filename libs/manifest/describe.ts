import type { Manifest, Permission } from './manifest.ts'

const RESOURCE_KINDS = ['db', 'cache', 'plugin', 'events', 'service', 'net', 'fs']

/** Tells in words what a plugin is, may do and is limited to: one sentence a line, for `xcore plugin validate`. */
export function describeManifest(manifest: Manifest): readonly string[] {
  return [
    `${manifest.name} ${manifest.version}${manifest.description === '' ? '' : `: ${manifest.description}`}`,
    `Runs ${manifest.executionMode} from ${manifest.entryPoint}; wants XCore ${manifest.frameworkVersion}.`,
    ...requirements(manifest),
    ...permissions(manifest),
    ...limits(manifest),
    ...actions(manifest),
    ...environment(manifest),
    manifest.http.auth === 'required' ? 'Its HTTP routes need a key.' : 'Its HTTP routes are public.',
    callers(manifest.allowedCallers),
    ...warnings(manifest),
  ]
}

function requirements({ requires }: Manifest): string[] {
  if (requires.length === 0) return []
  return [`Loads after ${requires.map(({ name, version }) => (version === null ? name : `${name} (${version})`)).join(', ')}.`]
}

function permissions({ permissions: rules, executionMode }: Manifest): string[] {
  if (rules === null) {
    return [
      executionMode === 'sandboxed' ? 'May use nothing: it has no permissions block.' : 'May use everything: it has no permissions block.',
    ]
  }
  if (rules.length === 0) return ['May use nothing: its permissions block is empty.']
  return [...rules.map(rule), 'Everything else is denied; the first line that matches decides.']
}

function rule({ resource, actions: verbs, effect }: Permission): string {
  return `${effect === 'allow' ? 'May' : 'May not'} ${verbs.includes('*') ? 'do anything with' : verbs.join(' or ')} ${resource}.`
}

function limits({ resources, runtime, concurrency, totalConcurrency, priority, executionMode }: Manifest): string[] {
  const { timeoutSeconds, rateLimit, maxMemoryMb, maxDiskMb } = resources
  const { maxAttempts, backoffSeconds, maxBackoffSeconds } = runtime.retry
  return [
    `Each job has ${timeoutSeconds} s and priority ${priority}; at most ${concurrency} run at once in a process${totalConcurrency === null ? '' : `, ${totalConcurrency} over all`}.`,
    maxAttempts === 1
      ? 'A job that throws is not tried again.'
      : `A job that throws is tried up to ${maxAttempts} times, the pauses growing from ${backoffSeconds} s to at most ${maxBackoffSeconds} s.`,
    rateLimit === null ? 'No rate limit.' : `At most ${rateLimit.calls} calls in ${rateLimit.periodSeconds} s.`,
    ...(executionMode === 'sandboxed' ? [`Its process may use ${maxMemoryMb} MB of memory and ${maxDiskMb} MB of disk.`] : []),
  ]
}

function actions(manifest: Manifest): string[] {
  return Object.entries(manifest.actions).map(([name, { timeoutSeconds, priority, retry, replay }]) => {
    const replays = replay === 'unsafe' ? '; not safe to replay' : ''
    return `Action ${name}: ${timeoutSeconds} s, priority ${priority}, up to ${retry.maxAttempts} attempts${replays}.`
  })
}

function environment({ env, envConfiguration }: Manifest): string[] {
  const names = Object.keys(env)
  return [
    ...(names.length === 0 ? [] : [`Its environment: ${names.join(', ')}.`]),
    ...(envConfiguration.inject ? [`Reads ${envConfiguration.envFile} into its environment.`] : []),
  ]
}

function callers(allowed: readonly string[] | null): string {
  if (allowed === null) return 'Every plugin may call it.'
  return allowed.length === 0 ? 'No plugin may call it.' : `Only these plugins may call it: ${allowed.join(', ')}.`
}

function warnings({ permissions: rules, executionMode }: Manifest): string[] {
  const unknown = (rules ?? []).filter(({ resource }) => {
    const kind = /^([a-z]+)[.:]/.exec(resource)?.[1]
    return kind !== undefined && !RESOURCE_KINDS.includes(kind)
  })
  return [
    ...unknown.map(({ resource }) => `Warning: no resource is called ${resource}; the kinds are ${RESOURCE_KINDS.join(', ')}.`),
    ...(executionMode === 'legacy' ? ['Warning: execution_mode legacy is deprecated; move to trusted or sandboxed.'] : []),
  ]
}
