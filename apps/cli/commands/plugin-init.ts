import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { Command } from 'commander'
import { PLUGIN_NAME } from '../../../libs/manifest/schema.ts'
import { CommandFailed, UsageError } from '../exit.ts'
import { print, printJson, type GlobalOptions } from '../output.ts'
import { pluginTemplate } from '../plugin-template.ts'
import { configOf } from '../server-options.ts'

interface InitOptions extends GlobalOptions {
  readonly sandboxed?: boolean
  readonly routes?: boolean
}

/** `xcore plugin init NAME`. */
export function initCommand(): Command {
  const command = new Command('init')
    .description('make a new plugin in plugins.dir that works and has a test')
    .argument('<name>', 'lower-case letters, digits, - and _, beginning with a letter')
    .option('--sandboxed', 'runs in a process of its own that reaches nothing it was not allowed')
    .option('--routes', 'with HTTP routes')
  return command.action((name: string) => init(name, command.optsWithGlobals<InitOptions>()))
}

async function init(name: string, options: InitOptions): Promise<void> {
  if (!PLUGIN_NAME.test(name) || name.length > 63) {
    throw new UsageError(`expected a name like order-mails (lower-case letters, digits, - and _, at most 63), found ${name}`)
  }
  const folder = join(configOf(options).plugins.dir, name)
  await mkdir(dirname(folder), { recursive: true })
  await mkdir(folder).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    throw new CommandFailed(`${folder} is there already; choose another name, or remove it`, { code: 'plugin_duplicate' })
  })
  const files = pluginTemplate({ name, sandboxed: options.sandboxed === true, routes: options.routes === true })
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  if (options.json) return printJson({ name, folder, files: Object.keys(files) })
  const shown = relative(process.cwd(), folder)
  print([...Object.keys(files).map((path) => `  ${join(shown, path)}`), '', `Try it: xcore plugin test ${name}`].join('\n'))
}
