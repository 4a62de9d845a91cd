import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'
import { parseOwnJson } from './own-json.ts'
import { smallJob } from './small-jobs.ts'

const AUTOCANNON = createRequire(import.meta.url).resolve('autocannon/autocannon.js')

export interface LoadResult {
  readonly requestsPerSecond: number
  readonly p50: number
  readonly p99: number
  readonly accepted: number
  readonly seconds: number
}

/** POSTs small jobs over 50 connections for so many seconds, from a process of its own. Throws unless every answer is a 202. */
export async function postJobs(url: string, seconds: number, connections = 50): Promise<LoadResult> {
  const body = JSON.stringify({ payload: smallJob(0) })
  const flags = [
    '-c',
    connections,
    '-d',
    seconds,
    '-m',
    'POST',
    '-H',
    'content-type=application/json',
    '-b',
    body,
    '--json',
    '--no-progress',
    url,
  ]
  const client = spawn(process.execPath, [AUTOCANNON, ...flags.map(String)], { stdio: ['ignore', 'pipe', 'ignore'] })
  const exit = once(client, 'exit')
  const output = await text(client.stdout)
  await exit
  const report = parseOwnJson<AutocannonReport>(output)
  const accepted = report.statusCodeStats['202']?.count ?? 0
  if (report.errors > 0 || report.timeouts > 0 || accepted < report.requests.total || accepted === 0) {
    throw new Error(
      `${url}: expected only 202, found ${JSON.stringify(report.statusCodeStats)}, ${report.errors} errors, ${report.timeouts} timeouts`,
    )
  }
  return {
    requestsPerSecond: accepted / report.duration,
    p50: report.latency.p50,
    p99: report.latency.p99,
    accepted,
    seconds: report.duration,
  }
}

interface AutocannonReport {
  readonly duration: number
  readonly errors: number
  readonly timeouts: number
  readonly requests: { readonly total: number }
  readonly latency: { readonly p50: number; readonly p99: number }
  readonly statusCodeStats: Readonly<Record<string, { readonly count: number }>>
}
