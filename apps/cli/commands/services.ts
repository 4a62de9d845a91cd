import { Command } from 'commander'
import { loadConfig } from '../../../libs/config/index.ts'
import type { Config } from '../../../libs/config/index.ts'
import { FRAMEWORK_VERSION } from '../../../libs/manifest/framework-version.ts'
import type { Logger } from '../../../libs/telemetry/index.ts'
import { banner } from '../banner.ts'
import { exitCodeOf } from '../exit.ts'
import { holdOutput } from '../held-output.ts'
import { print, reportError } from '../output.ts'
import type { GlobalOptions } from '../output.ts'
import { runService } from '../run-service.ts'
import type { Service } from '../run-service.ts'

interface ServiceOptions extends GlobalOptions {
  readonly host?: string
  readonly port?: string
  readonly group?: string
  readonly plugins?: string
  readonly concurrency?: string
  readonly watch?: boolean
}

/** A service that answers over HTTP. */
interface ListeningService extends Service {
  readonly url: string
}

export function startCommand(): Command {
  return withAddress(new Command('start').option('--watch', 'reload a plugin when a file of it is saved'))
    .description('api and worker in one process, on an embedded Postgres unless DATABASE_URL is set')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServiceOptions>()
      const config = configFor(options)
      await run(config, options, async (logger, signal) => {
        const { composeStandalone } = await import('../compose.ts')
        const service = await composeStandalone({ config, logger, signal, watch: options.watch === true })
        const announce = () => {
          if (!options.json)
            print(
              banner({ version: FRAMEWORK_VERSION, url: service.url, plugins: service.plugins(), keysNeeded: config.auth.keys.length > 0 }),
            )
        }
        return { service, announce }
      })
    })
}

export function apiCommand(): Command {
  return withAddress(new Command('api'))
    .description('the HTTP api alone, against DATABASE_URL; jobs are run by `xcore worker`')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServiceOptions>()
      const config = configFor(options)
      await run(config, options, async (logger, signal) => {
        const { composeApi } = await import('../../api/compose.ts')
        return { service: await composeApi({ config, logger, signal }) }
      })
    })
}

export function workerCommand(): Command {
  return new Command('worker')
    .description('runs jobs, against DATABASE_URL; start as many as you like')
    .option('--group <name>', 'the plugins and concurrency of worker.groups.NAME')
    .option('--plugins <names>', 'only these plugins: names or globs, comma-separated')
    .option('--concurrency <n>', 'jobs at once in this process')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServiceOptions>()
      const config = configFor(options)
      await run(config, options, async (logger, signal) => {
        const [{ composeWorker }, { selectionOf }] = await Promise.all([
          import('../../worker/compose.ts'),
          import('../../worker/selection.ts'),
        ])
        return { service: await composeWorker({ config, logger, signal, selection: selectionOf(config.worker.groups, options) }) }
      })
    })
}

function withAddress(command: Command): Command {
  return command.option('--host <host>', 'instead of http.host').option('--port <port>', 'instead of http.port; 0 picks a free one')
}

function configFor(options: ServiceOptions): Config {
  return loadConfig({
    cwd: process.cwd(),
    env: process.env,
    ...(options.config === undefined ? {} : { file: options.config }),
    overrides: {
      ...(options.host === undefined ? {} : { 'http.host': options.host }),
      ...(options.port === undefined ? {} : { 'http.port': /^\d+$/.test(options.port) ? Number(options.port) : options.port }),
    },
  })
}

type Started = { readonly service: ListeningService; readonly announce?: () => void }

/** Runs a service in this process until it is told to stop, and ends the process: a plugin's forgotten timer must not keep it. */
async function run(
  config: Config,
  options: ServiceOptions,
  start: (logger: Logger, signal: AbortSignal) => Promise<Started>,
): Promise<void> {
  const [{ currentPlugin }, { createLogger }] = await Promise.all([
    import('../../../libs/plugin-host/index.ts'),
    import('../../../libs/telemetry/logger.ts'),
  ])
  const pretty = process.stdout.isTTY && !options.json
  const output = pretty ? undefined : holdOutput({ write: (line) => void process.stdout.write(line) })
  const logger = createLogger({
    level: config.log.level,
    redact: config.log.redact,
    pretty,
    ...(output === undefined ? {} : { destination: output }),
  })
  let code: number
  try {
    code = await runService({
      logger,
      pluginsDir: config.plugins.dir,
      currentPlugin,
      async start(signal) {
        const began = performance.now()
        const { service, announce } = await start(logger, signal)
        const listening = () =>
          logger.info({ url: service.url, ready_seconds: Math.round(performance.now() - began) / 1000 }, `Listening on ${service.url}`)
        if (output === undefined) listening()
        else output.release(listening)
        announce?.()
        return service
      },
    })
  } catch (error) {
    reportError(error, options.json === true)
    code = exitCodeOf(error)
  }
  // Also when it never came up.
  output?.release()
  process.exit(code)
}
