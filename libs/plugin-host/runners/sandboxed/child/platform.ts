import type { PluginMetrics } from '@xcore/sdk'
import type { EmitRequest, Engine, SubmitRequest, Subscription, SubscriptionRegistry } from '../../../../engine/port.ts'
import { XCoreError } from '../../../../errors/index.ts'
import { correlationId, eventId, jobId, pluginName } from '../../../../event-log/index.ts'
import type { Job } from '../../../../event-log/index.ts'
import type { PluginPlatform } from '../../../port.ts'
import type { Channel } from '../wire/channel.ts'
import { remoteSchedules } from './schedules.ts'
import type { Remote } from './remote.ts'

/** The platform as a plugin's own runtime in the sandbox sees it: every call is the host's to check and to do. */
export function remotePlatform(remote: Remote): PluginPlatform {
  return { engine: remoteEngine(remote), subscriptions: remoteSubscriptions(remote), schedules: remoteSchedules(remote) }
}

function remoteEngine(remote: Remote): Pick<Engine, 'submit' | 'emit' | 'wait'> {
  return {
    // Caller, correlation and depth are left out: the host knows them better.
    async submit(request) {
      const answer = record(await remote.call('submit', submitted(request)))
      return {
        jobId: jobId(String(answer['jobId'])),
        state: answer['state'] === 'scheduled' ? 'scheduled' : 'queued',
        replayed: answer['replayed'] === true,
      }
    },
    async emit(request) {
      const answer = record(await remote.call('emit', emitted(request)))
      return { eventId: eventId(String(answer['eventId'])), jobs: [], replayed: answer['replayed'] === true }
    },
    async wait(id, timeoutMs) {
      const answer = await remote.call('wait', { jobId: id, timeoutMs })
      return answer === null ? undefined : awaitedJob(record(answer))
    },
  }
}

/** What the host needs of a request. */
export function submitted({ plugin, action, payload, priority, delaySeconds, runAt, idempotencyKey, awaited }: SubmitRequest): object {
  return { plugin, action, payload, priority, delaySeconds, runAt: runAt?.toISOString(), idempotencyKey, awaited }
}
export function emitted({ name, data, delaySeconds, externalId }: EmitRequest): object {
  return { name, data, delaySeconds, externalId }
}

function remoteSubscriptions(remote: Remote): SubscriptionRegistry {
  return {
    // Those of `onLoad` travel with the frame that says that it is over.
    replace: async () => {},
    add: async (subscription) => void (await remote.call('subscribe', told(subscription))),
    remove: async (_plugin, id) => void (await remote.call('unsubscribe', { id })),
    retain: async () => [],
  }
}

export function told({ id, pattern, priority, once }: Subscription): object {
  return { id, pattern, priority, once }
}

export function remoteMetrics(channel: Channel): PluginMetrics {
  const send = (kind: string, name: string, value: number): void => {
    if (Number.isFinite(value)) channel.send({ t: 'metric', kind, name: String(name).slice(0, 128), value })
  }
  return {
    increment: (name, by = 1) => send('increment', name, by),
    set: (name, value) => send('set', name, value),
    observe: (name, value) => send('observe', name, value),
  }
}

/** What the host tells of a job that somebody waits for. */
function awaitedJob(answer: Readonly<Record<string, unknown>>): Job {
  const { id, state, result, error } = answer
  const states = ['scheduled', 'queued', 'active', 'retrying', 'succeeded', 'failed', 'dead', 'cancelled'] as const
  const known = states.find((each) => each === state)
  if (typeof id !== 'string' || known === undefined) throw new XCoreError('internal_error', 'the host answered something else than a job')
  return {
    ...blankJob(),
    id: jobId(id),
    state: known,
    result: jsonObject(result),
    error: isJobError(error) ? error : null,
  }
}

/** A job of which nothing is known yet. */
export function blankJob(): Job {
  const never = new Date(0)
  return {
    id: jobId(''),
    kind: 'action',
    plugin: pluginName(''),
    name: '',
    state: 'active',
    priority: 50,
    attempt: 1,
    maxAttempts: 1,
    payload: null,
    result: null,
    error: null,
    errorFingerprint: null,
    requestedAt: never,
    runAt: never,
    startedAt: never,
    finishedAt: null,
    correlationId: correlationId(''),
    causationId: null,
    replayOf: null,
    root: null,
    replayId: null,
    idempotencyKey: null,
    pluginVersion: '',
    meta: {},
  }
}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {}
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// What came over the wire was JSON.
function jsonObject(value: unknown): Job['result'] {
  return isJsonObject(value) ? value : null
}
function isJsonObject(value: unknown): value is NonNullable<Job['result']> {
  return isObject(value)
}
function isJobError(value: unknown): value is NonNullable<Job['error']> {
  return isObject(value) && typeof value['code'] === 'string' && typeof value['message'] === 'string'
}
