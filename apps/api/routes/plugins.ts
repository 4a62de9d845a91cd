import { XCoreError, isErrorCode } from '../../../libs/errors/index.ts'
import { PLUGIN_COMMANDS, type PluginCommand } from '../../../libs/plugin-host/control/commands-table.ts'
import type { ProcessResult } from '../../../libs/plugin-host/control/control.ts'
import type { PluginStatus } from '../../../libs/plugin-host/port.ts'
import { sendJson, type ApiContext, type ApiScope, type Endpoint } from '../handler.ts'
import { sendProblem } from '../observe.ts'
import { problem, statusOfError } from '../problem.ts'

/** `/admin/plugins`: what runs here, and commands that every process obeys. */
export function pluginEndpoints(api: ApiScope): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/admin/plugins',
      summary: 'All plugins with their state and last error',
      scope: 'read',
      handle: (ctx) => sendJson(ctx, 200, { plugins: api.host.statuses().map(pluginJson) }),
    },
    {
      method: 'GET',
      path: '/admin/plugins/:name',
      summary: 'One plugin',
      scope: 'read',
      handle: (ctx, params) => sendJson(ctx, 200, pluginJson(known(api, params['name'] ?? ''))),
    },
    ...PLUGIN_COMMANDS.map((command): Endpoint => {
      return {
        method: 'POST',
        path: `/admin/plugins/:name/${command}`,
        summary: SUMMARIES[command],
        scope: 'operate',
        handle: (ctx, params) => run(api, ctx, params['name'] ?? '', command),
      }
    }),
  ]
}

const SUMMARIES: Readonly<Record<PluginCommand, string>> = {
  load: 'Loads a plugin in every process; it stays so over restarts',
  reload: 'Reads a plugin’s files anew in every process; what runs finishes on the old ones',
  unload: 'Unloads a plugin in every process, until it is loaded again',
  pause: 'Lets the jobs of a plugin wait; it stays so over restarts',
  resume: 'Lets the jobs of a paused plugin run again',
}

async function run(api: ApiScope, ctx: ApiContext, name: string, command: PluginCommand): Promise<void> {
  const results = await api.control.run(name, command)
  const failed = results.find(({ error }) => error !== null)
  const processes = results.map(resultJson)
  if (failed === undefined) return sendJson(ctx, 200, { ...pluginJson(known(api, name)), command, processes })
  const { code, message } = failed.error ?? { code: 'internal_error', message: '' }
  const done = results.filter(({ error }) => error === null).length
  const detail = `${command} of plugin ${name} failed in ${results.length - done} of ${results.length} processes, first in ${failed.process}: ${message}`
  const status = statusOfError({ code })
  sendProblem(
    ctx,
    // What has no status of its own is the plugin's state: nothing is wrong with the request.
    problem(isErrorCode(code) ? code : 'internal_error', detail, {
      status: status === 400 ? 409 : status,
      details: { command, processes },
    }),
  )
}

function known(api: ApiScope, name: string): PluginStatus {
  const status = api.host.status(name)
  if (status === undefined) throw new XCoreError('not_found', `There is no plugin "${name}"; GET /admin/plugins lists them.`)
  return status
}

function resultJson({ process, role, state, version, error }: ProcessResult): Record<string, unknown> {
  return { process, role, ok: error === null, state, version, error }
}

function pluginJson(status: PluginStatus): Record<string, unknown> {
  return {
    name: status.name,
    version: status.version,
    state: status.state,
    paused: status.paused,
    last_error: status.lastError,
    sandbox: sandboxJson(status),
    folder: status.folder,
    manifest: status.manifest,
    actions: status.actions,
    subscriptions: status.subscriptions,
  }
}

function sandboxJson({ sandbox }: PluginStatus): Record<string, unknown> | null {
  if (sandbox === null || sandbox === undefined) return null
  const { memoryMb, lastEnd, ...others } = sandbox
  return { ...others, memory_mb: memoryMb, last_end: lastEnd }
}
