/**
 * `npm run demo [-- --keep]`: real GitHub payloads through the real platform. Starts XCore on a database of its own and a
 * receiver of webhooks that misbehaves in every usual way, feeds in all payloads, and shows what became of each delivery.
 * Ends with 1 when a promise was broken. With --keep XCore stays up afterwards, until Ctrl-C.
 */
import { deliver, inParallel, realDeliveries } from './demo/deliveries.ts'
import type { Answer } from './demo/deliveries.ts'
import { allJobs, historyOf, whenSettled } from './demo/jobs.ts'
import { startPlatform } from './demo/platform.ts'
import type { Platform } from './demo/platform.ts'
import { addRules, reportRules } from './demo/transform.ts'
import { CONDUCTS, startReceiver } from './demo/receiver.ts'
import type { Receiver } from './demo/receiver.ts'
import { broken, historyLine, reportOf, table } from './demo/report.ts'

const say = (text = '') => process.stdout.write(`${text}\n`)

async function main(keep: boolean): Promise<number> {
  const interrupt = new AbortController()
  const interrupted = Promise.withResolvers<number>()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      interrupt.abort(new Error(`ended by ${name}`))
      interrupted.resolve(0)
    })
  }

  say('Starting XCore on a fresh embedded Postgres …')
  await using receiver = await startReceiver()
  await using platform = await startPlatform(interrupt.signal)
  say(`  ready at ${platform.url} after ${platform.startSeconds.toFixed(1)} s`)
  const ended = await Promise.race([interrupted.promise, run(platform, receiver)])
  if (!keep || interrupt.signal.aborted) return ended
  say(`\nXCore stays up at ${platform.url}, e.g. curl '${platform.url}/jobs?state=dead'. Ctrl-C ends it.`)
  await interrupted.promise
  return ended
}

async function run(platform: Platform, receiver: Receiver): Promise<number> {
  await subscribe(platform, receiver)
  say(`  ${CONDUCTS.length} endpoints subscribed to github.* events, each with a signing secret of its own`)

  await addRules(platform.url)
  say('  3 mapping rules of users given to the sandboxed plugin transform, one of which never ends')

  const deliveries = await realDeliveries()
  say(`\nSending ${deliveries.length} real GitHub webhook payloads to ${platform.url}/plugins/github/webhook …`)
  const began = performance.now()
  const answers = await inParallel(deliveries, 16, (delivery) => deliver(platform.url, delivery, platform.githubSecret))
  const seconds = (performance.now() - began) / 1000
  // The same ids again, as GitHub does on "Redeliver", and some that GitHub did not sign.
  const again = await inParallel(deliveries.slice(0, 10), 4, (delivery) => deliver(platform.url, delivery, platform.githubSecret))
  const forged = await inParallel(deliveries.slice(0, 5), 4, (delivery) =>
    deliver(platform.url, { ...delivery, id: `forged-${delivery.id}` }, 'guessed'),
  )
  const wrong = brokenAtTheDoor(answers, again, forged)
  say(`  ${answers.filter(({ status }) => status === 202).length} accepted in ${seconds.toFixed(1)} s`)
  say(
    `  ${again.filter(({ eventId }, index) => eventId === answers[index]?.eventId).length} sent twice: answered with the first event, nothing new`,
  )
  say(`  ${forged.filter(({ status }) => status === 401).length} with a wrong signature: refused`)

  say('\nDelivering; retries need a few seconds …')
  await whenSettled(platform.url, 'webhooks', 75)
  const jobs = await allJobs(platform.url, { plugin: 'webhooks', kind: 'action', name: 'deliver' })
  const reports = reportOf(jobs, receiver)
  say(`  all deliveries have an outcome ${((performance.now() - began) / 1000).toFixed(1)} s after the first payload\n`)
  say(table(reports))

  const retried = jobs.find(({ payload, state }) => payload.endpoint_id === 'busy' && state === 'succeeded')
  const dead = jobs.find(({ state }) => state === 'dead')
  for (const [title, job] of [
    ['One that was retried', retried],
    ['One that is dead', dead],
  ] as const) {
    if (job === undefined) continue
    say(`\n${title}: ${job.payload.event?.name} to ${job.payload.endpoint_id}`)
    for (const entry of await historyOf(platform.url, job.job_id)) say(`  ${historyLine(entry)}`)
  }
  const rules = await reportRules(platform.url)
  say(
    `\nUsers’ rules in the sandbox: ${rules.events} events, ${rules.made} values made, ${rules.failed} failed, ${rules.ended} job${rules.ended === 1 ? '' : 's'} ended at the time limit`,
  )
  wrong.push(...rules.wrong)
  say('\nIn your own XCore, the history of any job: npm run xcore -- jobs show JOB_ID')

  wrong.push(...broken(jobs, reports, receiver))
  for (const promise of wrong) say(`\nBROKEN: ${promise}`)
  say(wrong.length === 0 ? '\nEvery payload that was accepted is accounted for.' : '')
  return wrong.length === 0 ? 0 : 1
}

/** Over the route and not the action: it answers with the secret, and leaves no job behind that would hold it. */
async function subscribe({ url }: Platform, receiver: Receiver): Promise<void> {
  for (const { name, events } of CONDUCTS) {
    const response = await fetch(`${url}/plugins/webhooks/endpoints`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id: name, url: `${receiver.url}/${name}`, events }),
    })
    const body: unknown = await response.json()
    if (response.status !== 201 || typeof body !== 'object' || body === null || !('secret' in body) || typeof body.secret !== 'string') {
      throw new Error(`adding the endpoint ${name} was answered with ${response.status}: ${JSON.stringify(body)}`)
    }
    receiver.setSecret(name, body.secret)
  }
}

function brokenAtTheDoor(answers: readonly Answer[], again: readonly Answer[], forged: readonly Answer[]): string[] {
  const wrong: string[] = []
  const refused = answers.find(({ status }) => status !== 202)
  if (refused !== undefined) wrong.push(`a real payload was answered with ${refused.status} ${refused.code}`)
  if (again.some(({ eventId }, index) => eventId === null || eventId !== answers[index]?.eventId))
    wrong.push('a delivery that came twice made a second event')
  if (forged.some(({ status }) => status !== 401)) wrong.push('a forged delivery was not refused with 401')
  return wrong
}

process.exitCode = await main(process.argv.includes('--keep'))
