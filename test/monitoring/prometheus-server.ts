import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '../../bench/harness/free-port.ts'
import { RULES_FILE } from './rules.ts'
import { isRecord, textAt } from './narrowing.ts'

export const hasPrometheus = spawnSync('prometheus', ['--version']).error === undefined

export interface PrometheusServer extends AsyncDisposable {
  /** The values of an instant query, one per series; NaN included. Throws when Prometheus refuses it. */
  query(expr: string): Promise<readonly number[]>
  /** Name, health and last error of every rule. */
  ruleHealth(): Promise<readonly { readonly name: string; readonly health: string; readonly error: string }[]>
}

/** A real Prometheus that scrapes `targets` (`host:port`) every second with the key, and evaluates the rules of XCore. */
export async function startPrometheus(targets: readonly string[], key: string): Promise<PrometheusServer> {
  const folder = await mkdtemp(join(tmpdir(), 'xcore-prometheus-'))
  const address = `127.0.0.1:${await freePort()}`
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [RULES_FILE],
    scrape_configs: [{ job_name: 'xcore', authorization: { credentials: key }, static_configs: [{ targets }] }],
  }
  // JSON is YAML.
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config))
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--enable-feature=exemplar-storage',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const lines: string[] = []
  const ready = Promise.withResolvers<void>()
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line)
    if (line.includes('Server is ready to receive web requests')) ready.resolve()
  })
  void ended.then(() => ready.reject(new Error(`Prometheus ended:\n${lines.join('\n')}`)))
  const close = async () => {
    child.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await ready.promise
  } catch (error) {
    await close()
    throw error
  }
  const ask = async (path: string): Promise<Record<string, unknown>> => {
    const answer: unknown = await (await fetch(`http://${address}/api/v1/${path}`)).json()
    if (!isRecord(answer) || answer['status'] !== 'success' || !isRecord(answer['data'])) throw new Error(JSON.stringify(answer))
    return answer['data']
  }
  return {
    async query(expr) {
      const { result } = await ask(`query?query=${encodeURIComponent(expr)}`)
      return (Array.isArray(result) ? result : []).map((series: unknown) => {
        const value: unknown = isRecord(series) ? series['value'] : undefined
        return Array.isArray(value) ? Number(value[1]) : Number.NaN
      })
    },
    async ruleHealth() {
      const { groups } = await ask('rules')
      const rules = (Array.isArray(groups) ? groups : []).flatMap((group: unknown): unknown[] => {
        const found: unknown = isRecord(group) ? group['rules'] : undefined
        return Array.isArray(found) ? found : []
      })
      return rules.filter(isRecord).map((rule) => ({
        name: textAt(rule, 'name') ?? '',
        health: textAt(rule, 'health') ?? '',
        error: textAt(rule, 'lastError') ?? '',
      }))
    },
    [Symbol.asyncDispose]: close,
  }
}
