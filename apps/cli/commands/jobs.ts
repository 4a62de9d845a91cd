import { Command } from 'commander'
import { JobBody, JobListBody, jobTable, jobText } from '../job-text.ts'
import { StoryBody, storyText } from '../story-text.ts'
import { print, printJson } from '../output.ts'
import { clientOf, withServerOptions } from '../server-options.ts'
import type { ServerOptions } from '../server-options.ts'

const FILTERS = [
  'plugin',
  'kind',
  'name',
  'state',
  'errorCode',
  'errorFingerprint',
  'correlationId',
  'replayId',
  'since',
  'until',
  'limit',
  'cursor',
] as const

interface CancelOptions extends ServerOptions {
  readonly reason?: string
}

type ListOptions = ServerOptions & Readonly<Partial<Record<(typeof FILTERS)[number], string>>>

export function jobsCommand(): Command {
  const jobs = new Command('jobs').description('look at jobs and cancel them')
  const list = withServerOptions(jobs.command('list'))
    .description('list jobs, newest first')
    .option('--plugin <name>')
    .option('--kind <kind>', 'action, event or schedule')
    .option('--name <name>', 'of the action or event')
    .option('--state <states>', 'one or more, e.g. failed,dead')
    .option('--error-code <code>')
    .option('--error-fingerprint <fingerprint>', 'see `xcore failures`')
    .option('--correlation-id <id>')
    .option('--replay-id <id>')
    .option('--since <time>', 'ISO 8601, or an age like 2h')
    .option('--until <time>', 'ISO 8601, or an age like 2h')
    .option('--limit <n>', '1–200')
    .option('--cursor <cursor>', 'from a previous page')
  list.action(() => listJobs(list.optsWithGlobals<ListOptions>()))

  const show = withServerOptions(jobs.command('show'))
    .description('one job and its whole story: attempts, replays, what it caused')
    .argument('<id>')
  show.action((id: string) => showJob(id, show.optsWithGlobals<ServerOptions>()))

  const cancel = withServerOptions(jobs.command('cancel'))
    .description('cancel a job that has not finished')
    .argument('<id>')
    .option('--reason <text>', 'kept in the history')
  cancel.action((id: string) => cancelJob(id, cancel.optsWithGlobals<CancelOptions>()))
  return jobs
}

async function listJobs(options: ListOptions): Promise<void> {
  const query = new URLSearchParams()
  for (const filter of FILTERS) {
    const value = options[filter]
    if (value !== undefined)
      query.set(
        filter.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        value,
      )
  }
  const { body } = await clientOf(options).request(JobListBody, query.size === 0 ? '/jobs' : `/jobs?${query}`)
  if (options.json) return printJson(body)
  print(body.jobs.length === 0 ? 'no jobs' : jobTable(body.jobs))
  if (body.next_cursor !== null) print(`\nmore: --cursor ${body.next_cursor}`)
}

async function showJob(id: string, options: ServerOptions): Promise<void> {
  const client = clientOf(options)
  const path = `/jobs/${encodeURIComponent(id)}`
  const { body: job } = await client.request(JobBody, path)
  const { body: story } = await client.request(StoryBody, `${path}/events`)
  if (options.json) return printJson({ job, ...story })
  print(`${jobText(job)}\n\n${storyText(job.job_id, story)}`)
}

async function cancelJob(id: string, options: CancelOptions): Promise<void> {
  const { body: job } = await clientOf(options).request(JobBody, `/jobs/${encodeURIComponent(id)}/cancel`, {
    method: 'POST',
    body: options.reason === undefined ? {} : { reason: options.reason },
  })
  if (options.json) printJson(job)
  else print(`${job.state} ${job.job_id}`)
}
