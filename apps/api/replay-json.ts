import type { Caused, FailureGroup, JobStory, Replay, ReplayPlan } from '../../libs/engine/port.ts'
import type { Job } from '../../libs/event-log/index.ts'
import { errorJson, jobJson, loggedEventJson } from './job-json.ts'

export function replayJson(replay: Replay): Record<string, unknown> {
  const { progress } = replay
  return {
    replay_id: replay.id,
    name: replay.name,
    reason: replay.reason,
    actor: replay.actor,
    state: replay.state,
    filter: replay.filter,
    ...replay.receivers,
    rate_per_second: replay.ratePerSecond,
    priority: replay.priority,
    stop_at_failures: replay.stopAtFailures,
    created_at: replay.createdAt,
    finished_at: replay.finishedAt,
    total: progress.total,
    enqueued: progress.enqueued,
    queued: progress.queued,
    succeeded: progress.succeeded,
    failed: progress.failed,
    cancelled: progress.cancelled,
    left_out: progress.leftOut,
    remaining: progress.remaining,
    eta_seconds: progress.etaSeconds,
  }
}

export function planJson(plan: ReplayPlan, kind: 'jobs' | 'events'): Record<string, unknown> {
  const id = kind === 'jobs' ? 'job_id' : 'event_id'
  return {
    matched: plan.matched,
    checked: plan.checked,
    to_replay: plan.toReplay,
    by_plugin: plan.byPlugin,
    by_name: plan.byName,
    by_error: plan.byError,
    left_out: plan.leftOut,
    already_succeeded: plan.leftOut.already_succeeded ?? 0,
    unsafe: plan.leftOut.unsafe ?? 0,
    invalid: plan.invalid.map(({ item, plugin, name, issues }) => ({ [id]: item, plugin, name, errors: issues })),
    unhandled: plan.unhandled,
    sample: plan.sample.map(({ item, kind: jobKind, plugin, name, errorCode }) => ({
      [id]: item,
      kind: jobKind,
      plugin,
      name,
      error_code: errorCode,
    })),
  }
}

export function failureJson(group: FailureGroup): Record<string, unknown> {
  return {
    error_fingerprint: group.fingerprint,
    plugin: group.plugin,
    name: group.name,
    error_code: group.code,
    message: group.message,
    count: group.count,
    first_seen: group.firstSeen,
    last_seen: group.lastSeen,
    sample_job_id: group.sampleJobId,
  }
}

export function storyJson(story: JobStory): Record<string, unknown> {
  return {
    events: story.events.map(loggedEventJson),
    replays: story.replays.map((job) => ({ ...briefly(job), replay_of: job.replayOf })),
    caused: story.caused.map(causedJson),
  }
}

function causedJson(caused: Caused): Record<string, unknown> {
  const under = { caused: caused.caused.map(causedJson) }
  return caused.type === 'job'
    ? { type: 'job', ...briefly(caused.job), ...under }
    : { type: 'event', event_id: caused.id, name: caused.name, source: caused.source, ...under }
}

function briefly(job: Job): Record<string, unknown> {
  const { job_id, kind, plugin, name, state, attempt, requested_at, finished_at, plugin_version } = jobJson(job)
  const error = job.error === null ? null : errorJson(job.error)
  return { job_id, kind, plugin, name, state, attempt, requested_at, finished_at, plugin_version, error }
}
