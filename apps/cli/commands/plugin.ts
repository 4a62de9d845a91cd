import { Command } from 'commander'
import { CommandFailed } from '../exit.ts'
import { coloured, print, printJson } from '../output.ts'
import type { GlobalOptions } from '../output.ts'
import type { PluginCheck } from '../plugin-check.ts'
import { PluginListBody, pluginTable } from '../plugin-text.ts'
import { clientOf, configOf, withServerOptions } from '../server-options.ts'
import type { ServerOptions } from '../server-options.ts'

export function pluginCommand(): Command {
  const plugin = new Command('plugin').description('check plugins, list those of a running XCore')
  const validate = plugin
    .command('validate')
    .description('check manifests without a server, and tell what each plugin may do')
    .argument('[target]', "a plugin's folder or name, or a folder of plugins (default: all of plugins.dir)")
  validate.action((target: string | undefined) => validatePlugins(target, validate.optsWithGlobals<GlobalOptions>()))

  const list = withServerOptions(plugin.command('list')).description('the plugins of a running XCore, with what is wrong with them')
  list.action(() => listPlugins(list.optsWithGlobals<ServerOptions>()))
  return plugin
}

async function validatePlugins(target: string | undefined, options: GlobalOptions): Promise<void> {
  const { checkAll, checkTarget } = await import('../plugin-check.ts')
  const { dir } = configOf(options).plugins
  const checks = target === undefined ? await checkAll(dir) : await checkTarget(target, dir)
  if (checks.length === 0) throw new CommandFailed(`no plugins in ${dir}; set plugins.dir or XCORE_PLUGINS_DIR`, { code: 'not_found' })

  if (options.json) printJson({ plugins: checks.map((check) => ({ ...check, ok: check.errors.length === 0 })) })
  else print(checks.map(checkText).join('\n\n'))
  const bad = checks.filter((check) => check.errors.length > 0)
  if (bad.length > 0)
    throw new CommandFailed(`${bad.length} of ${checks.length} would be refused: ${bad.map((check) => check.name).join(', ')}`, {
      code: 'manifest_invalid',
    })
}

function checkText(check: PluginCheck): string {
  const head = check.errors.length === 0 ? `${coloured('green', 'ok')}    ${check.name}` : `${coloured('red', 'error')} ${check.name}`
  return [
    head,
    ...check.errors.map(({ path, message, code }) => `  ${path === '' ? code : path}: ${message}`),
    ...check.warnings.map((warning) => `  ${coloured('yellow', 'warning')}: ${warning}`),
    ...check.says.map((line) => `  ${line}`),
  ].join('\n')
}

async function listPlugins(options: ServerOptions): Promise<void> {
  const { body } = await clientOf(options).request(PluginListBody, '/admin/plugins')
  if (options.json) printJson(body)
  else print(pluginTable(body.plugins))
}
