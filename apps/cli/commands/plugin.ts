import { Command } from 'commander'
import { CommandFailed, UsageError } from '../exit.ts'
import { coloured, print, printJson } from '../output.ts'
import type { GlobalOptions } from '../output.ts'
import type { PluginCheck } from '../plugin-check.ts'
import { PluginListBody, pluginTable } from '../plugin-text.ts'
import { controlCommands } from './plugin-control.ts'
import { initCommand } from './plugin-init.ts'
import { testCommand } from './plugin-test.ts'
import { clientOf, configOf, withServerOptions } from '../server-options.ts'
import type { ServerOptions } from '../server-options.ts'

export function pluginCommand(): Command {
  const plugin = new Command('plugin').description('make, test and check plugins; list and steer those of a running XCore')
  plugin.addCommand(initCommand())
  plugin.addCommand(testCommand())
  const validate = withServerOptions(plugin.command('validate'))
    .description('check manifests without a server, and tell what each plugin may do')
    .argument('[target]', "a plugin's folder or name, or a folder of plugins (default: all of plugins.dir)")
    .option(
      '--against <old>',
      'list what breaks callers of an older version: its folder, a file of `plugin schema`, or a version in a running XCore',
    )
  validate.action((target: string | undefined) => validatePlugins(target, validate.optsWithGlobals<ValidateOptions>()))

  const schema = plugin
    .command('schema')
    .description('print what a plugin declares as JSON, to compare later versions with')
    .argument('<target>', "a plugin's folder or name")
  schema.action(async (target: string) => {
    const { schemasOf } = await import('../plugin-changes.ts')
    print(JSON.stringify(await schemasOf(target, configOf(schema.optsWithGlobals<GlobalOptions>())), null, 2))
  })

  const list = withServerOptions(plugin.command('list')).description('the plugins of a running XCore, with what is wrong with them')
  list.action(() => listPlugins(list.optsWithGlobals<ServerOptions>()))
  for (const command of controlCommands()) plugin.addCommand(command)
  return plugin
}

interface ValidateOptions extends ServerOptions {
  readonly against?: string
}

async function validatePlugins(target: string | undefined, options: ValidateOptions): Promise<void> {
  if (options.against !== undefined) return compatible(target, options.against, options)
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

async function compatible(target: string | undefined, old: string, options: ValidateOptions): Promise<void> {
  if (target === undefined) throw new UsageError('--against compares one plugin: name it or its folder')
  const { compareWith } = await import('../plugin-changes.ts')
  const report = await compareWith(target, old, configOf(options), () => clientOf(options))
  const { plugin, version, breaking } = report
  if (options.json) printJson(report)
  if (breaking.length === 0) {
    if (!options.json) print(`${coloured('green', 'ok')}    ${plugin} ${version} breaks nothing of ${old}`)
    return
  }
  const lines = breaking.map(
    ({ action, part, path, message }) =>
      `${[action, part === 'action' ? '' : part, path].filter((word) => word !== '').join(' ')}: ${message}`,
  )
  throw new CommandFailed(`${plugin} ${version} breaks ${breaking.length} thing${breaking.length > 1 ? 's' : ''} of ${old}`, {
    code: 'validation_error',
    lines,
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
