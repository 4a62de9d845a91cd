import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { CommandFailed } from '../exit.ts'
import { findPlugin } from '../find-plugin.ts'
import { configOf, type ServerOptions } from '../server-options.ts'

const REGISTER = new URL('../../../libs/sdk/testing/register.ts', import.meta.url).href
const TESTS = ['**/*.test.{ts,js,mjs}']

/** `xcore plugin test [TARGET] [-- NODE OPTIONS]`. */
export function testCommand(): Command {
  const command = new Command('test')
    .description("run a plugin's *.test.ts with node:test; its folder may be anywhere")
    .argument('[target]', "a plugin's folder or name", '.')
    .argument('[options...]', "after --: options of Node's test runner, e.g. --test-name-pattern=greets")
    .option('--url <url>', 'test the plugin as this running XCore has it')
    .option('--key <key>', 'its API key')
  return command.action((target: string, given: readonly string[]) => run(target, given, command.optsWithGlobals<ServerOptions>()))
}

async function run(target: string, given: readonly string[], options: ServerOptions): Promise<void> {
  const folder = await findPlugin(target, configOf(options).plugins.dir)
  const files: string[] = []
  for await (const file of glob(TESTS, { cwd: folder, exclude: ['**/node_modules/**'] })) files.push(file)
  if (files.length === 0) {
    throw new CommandFailed(`${folder}: expected files named *.test.ts, found none; docs/guide/testing.md shows one`, { code: 'not_found' })
  }
  const reporter = options.json ? ['--test-reporter=tap'] : []
  const child = spawn(
    process.execPath,
    ['--import', REGISTER, '--test', ...reporter, ...given, ...files.sort().map((file) => join(folder, file))],
    {
      cwd: folder,
      stdio: 'inherit',
      env: {
        ...process.env,
        ...(options.url === undefined ? {} : { XCORE_TEST_URL: options.url }),
        ...(options.key === undefined ? {} : { XCORE_TEST_KEY: options.key }),
      },
    },
  )
  // Ctrl-C reaches it by itself; this process stays to tell how it ended.
  const stay = (): void => {}
  process.on('SIGINT', stay)
  try {
    await once(child, 'exit')
  } finally {
    process.off('SIGINT', stay)
  }
  if (child.exitCode !== 0) throw new CommandFailed()
}
