/**
 * Every error code that XCore itself answers with, logs or records in a job's history. docs/errors.md is tested
 * against this list in both directions. A plugin may use codes of its own beside these.
 *
 * `retried`: whether a job attempt that ends with it is tried again while attempts are left.
 */
export const ERROR_CATALOGUE = {
  // requests
  not_found: {
    meaning: 'The plugin, job or route does not exist.',
    remedy: 'Check the name or id; `xcore plugin list` shows what is loaded.',
  },
  unknown_action: {
    meaning: 'The plugin has no such action.',
    remedy: 'Check the action name; GET /openapi.json lists the declared ones.',
  },
  invalid_json: {
    meaning: 'The body is not JSON, or holds something XCore refuses (`\\u0000`, a prototype key, more than 64 levels).',
    remedy: 'Send valid JSON with `Content-Type: application/json`.',
  },
  bad_request: {
    meaning: 'A parameter, header or body field is missing or out of range.',
    remedy: 'The detail names the field, what was expected and what was found.',
  },
  unauthorized: {
    meaning: 'No key was sent, or one that is not known.',
    remedy: 'Send `Authorization: Bearer KEY` or `X-Plugin-Key: KEY`.',
  },
  permission_denied: {
    meaning: 'The key lacks the scope, or the plugin lacks the permission.',
    remedy: 'Use a key with the scope named in the detail, or add a permission to plugin.yaml.',
  },
  validation_error: {
    meaning: 'The payload does not fit the schema that the action declares.',
    remedy: '`errors` lists path and message of each mismatch.',
  },
  idempotency_mismatch: { meaning: 'The Idempotency-Key was used before with another body.', remedy: 'Use a new key for a new request.' },
  payload_too_large: { meaning: 'The body is larger than `limits.payload_bytes`.', remedy: 'Send less, or raise the limit.' },
  rate_limit_exceeded: { meaning: 'The rate limit of the plugin is used up.', remedy: 'Try again after `Retry-After` seconds.' },
  job_finished: { meaning: 'The job has already reached a terminal state.', remedy: 'Nothing to cancel; a finished job can be replayed.' },
  job_not_finished: {
    meaning: 'The job has not finished; only finished jobs can be replayed.',
    remedy: 'Wait for its outcome, or cancel it first.',
  },
  replay_unsafe: {
    meaning: 'The manifest marks the action `replay: unsafe`.',
    remedy: 'Make sure that running it twice does no harm, then replay with `force: true`.',
  },
  replay_exists: {
    meaning: 'A bulk replay of this name is running or paused.',
    remedy: 'Look at it first (`xcore replays`); wait for it, cancel it, or choose another name.',
  },
  replay_finished: {
    meaning: 'The bulk replay has ended; it cannot be paused, resumed or cancelled any more.',
    remedy: 'Start a new one: it leaves out what has succeeded.',
  },
  nothing_to_replay: {
    meaning: 'The filter matches nothing, or nobody is there to receive the event.',
    remedy: 'Widen the filter; a dry run shows what it matches.',
  },
  not_ready: {
    meaning: 'The process or the plugin cannot serve now (starting, draining, database away, plugin refused).',
    remedy: 'Try again after `Retry-After` seconds; GET /readyz?verbose tells what is missing.',
  },
  internal_error: {
    meaning: 'A fault of XCore itself.',
    remedy: 'The log line with the same correlation id holds the cause; please report it.',
  },
  // outcomes of attempts
  handler_error: { meaning: 'The handler threw something.', remedy: 'Read the message in the job’s history; fix the plugin and replay.' },
  timeout: {
    meaning: 'The handler did not finish within `timeout_seconds`, or a caller’s deadline passed.',
    remedy: 'Make the work shorter, heed `job.signal`, or raise `timeout_seconds`.',
  },
  invalid_result: {
    meaning: 'The handler returned something that is not JSON (a function, BigInt, cycle), or too large.',
    remedy: 'Return `ok({…})` or `error(…)` with JSON values only.',
  },
  worker_lost: {
    meaning: 'The worker that ran the attempt stopped answering (crash, kill, lost connection).',
    remedy: 'None needed: the job runs elsewhere. See the host’s log for the cause.',
  },
  no_handler: {
    meaning: 'The plugin has no handler for this job any more (an action, subscription or schedule was removed).',
    remedy: 'Bring the handler back and replay, or cancel the job.',
  },
  loop_detected: {
    meaning:
      'A chain of events, calls and enqueues grew longer than 32 jobs, or an action would wait for itself: plugins that set each other off.',
    remedy: 'Follow the correlation id to see the circle, and break it.',
  },
  memory_exceeded: {
    meaning: 'The sandboxed plugin used more than `max_memory_mb` and was ended.',
    remedy: 'Work on less at a time, or raise `resources.max_memory_mb` in plugin.yaml.',
  },
  sandbox_crashed: {
    meaning: 'The process of the sandboxed plugin ended while the job ran.',
    remedy: 'The message and the plugin’s log lines tell how; fix the plugin and replay.',
  },
  sandbox_protocol_error: {
    meaning: 'The sandboxed plugin broke the rules of the wire to its host and was ended.',
    remedy: 'Plugins that use the SDK only cannot do this: look at what the plugin does beside it.',
  },
  sandbox_boot_failed: {
    meaning: 'The process of the sandboxed plugin did not get ready to run the job.',
    remedy: 'The message and the plugin’s log lines hold the cause, usually an error in `onLoad`.',
  },
  sandbox_interrupted: {
    meaning: 'The sandbox ended because of another job in it; this one is tried again, alone, without spending an attempt.',
    remedy: 'None needed. The job that caused it has the code of the cause.',
  },
  cancelled: { meaning: 'The job was cancelled by a caller.', remedy: 'Submit or replay it if that was a mistake.' },
  // plugins and start-up
  manifest_invalid: {
    meaning: 'plugin.yaml or plugin.json does not fit the schema.',
    remedy: 'The message names file, line, what was expected and a near match; try `xcore plugin validate`.',
  },
  plugin_duplicate: { meaning: 'Two folders claim the same plugin name.', remedy: 'Rename one of them.' },
  plugin_incompatible: {
    meaning: '`framework_version` or a version in `requires` does not admit what is here.',
    remedy: 'Use a matching version, or widen the range.',
  },
  dependency_missing: { meaning: 'A plugin in `requires` is not here or was itself refused.', remedy: 'Add or fix that plugin.' },
  dependency_cycle: { meaning: 'Plugins require each other in a circle.', remedy: 'Break the circle; use events between them.' },
  env_missing: { meaning: '`env` names a variable of the host that is not set.', remedy: 'Set it, or give the entry a literal value.' },
  plugin_load_failed: {
    meaning: 'The entry file could not be imported, has no plugin class, or `onLoad` threw or hung.',
    remedy: 'The message holds the cause; the other plugins run.',
  },
  plugin_unload_failed: {
    meaning: '`onUnload` threw or hung; the plugin is gone all the same.',
    remedy: 'The message holds the cause; look for what it left open.',
  },
  sandbox_unsupported: {
    meaning: 'This machine cannot fence in a sandboxed plugin as `sandbox.require` demands.',
    remedy: 'The message names what is missing: start as root, or install bubblewrap, or lower `sandbox.require`.',
  },
  sandbox_suspended: {
    meaning: 'The sandboxed plugin crashed too often in a row and is not started any more.',
    remedy: 'Fix the plugin, then `POST /admin/plugins/{name}/resume`, or restart XCore.',
  },
  plugin_required: {
    meaning: 'The plugin cannot be unloaded: others that are loaded require it.',
    remedy: 'Unload those first; the message names them.',
  },
  config_invalid: {
    meaning: 'xcore.yaml or an environment variable holds an unknown key or a bad value.',
    remedy: 'The message names the key, what was expected and a near match.',
  },
  database_unavailable: {
    meaning: 'Postgres cannot be reached or refuses the login.',
    remedy: 'Check DATABASE_URL, or the folder of the embedded server.',
  },
  queue_unavailable: {
    meaning: 'Redis cannot be reached or refuses the login.',
    remedy: 'Check REDIS_URL and that Redis runs. Jobs that were accepted are in Postgres and run once it is back.',
  },
  queue_unsuitable: {
    meaning: 'Redis would not keep jobs safe: too old, or its `maxmemory-policy` lets it evict.',
    remedy: 'The message names what was expected and the command that sets it.',
  },
  migration_failed: {
    meaning: 'The database schema could not be brought up to date, or is newer than this XCore.',
    remedy: 'Run `xcore migrate` and read its message; never edit a landed migration.',
  },
  schedule_invalid: {
    meaning: 'A schedule has a wrong, missing or unknown field, a cron expression that never fires, or a function nobody can find again.',
    remedy: 'The message names the field, what was expected and what was found.',
  },
  schedule_exists: {
    meaning: 'There is a schedule of this id with another definition.',
    remedy: 'Add `replaceExisting: true` to replace it, or give the new one another id.',
  },
  redis_unavailable: {
    meaning: 'Redis, where the cache is kept, cannot be reached or refuses.',
    remedy: 'Check REDIS_URL, or unset it to keep the cache in Postgres.',
  },
  plugin_migration_failed: {
    meaning: 'A file in the `migrations` folder of a plugin failed, was changed after it was applied, or has a bad name.',
    remedy: 'The message names file, line and column; the other plugins run.',
  },
  database_error: {
    meaning: 'Postgres refused a statement of a plugin, or ended its transaction.',
    remedy: 'The message holds the cause and the SQLSTATE, `details` the names of constraint, table and column.',
  },
  database_privilege_missing: {
    meaning: 'The database user of XCore may not make the roles and schemas that the `db` service needs.',
    remedy: 'Run the statements in the message as an administrator, or use no plugins that need `db`.',
  },
  quota_exceeded: {
    meaning: 'The plugin’s files would take more than `resources.max_disk_mb`.',
    remedy: 'Delete files, or raise the limit in plugin.yaml.',
  },
  service_unknown: { meaning: '`getService` was called with a name that does not exist.', remedy: 'Use one of the names in the message.' },
} as const satisfies Record<string, { readonly meaning: string; readonly remedy: string }>

export type ErrorCode = keyof typeof ERROR_CATALOGUE

export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(ERROR_CATALOGUE, value)
}
