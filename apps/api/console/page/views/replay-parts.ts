import type { Replay } from '../../model/answers.ts'
import { age, count } from '../../model/format.ts'
import { leftOutText } from '../../model/replay-request.ts'
import { ask, reasonOf } from '../dialog.ts'
import { h } from '../dom.ts'
import { badge, facts, jsonBlock, link, when } from '../parts.ts'
import type { Scene } from '../view.ts'

/** A bulk replay in one line: name, state, how far. */
export function replayLine(replay: Replay, nowMs: number): HTMLElement {
  return h(
    'div',
    { class: 'replay', 'data-key': replay.id },
    h('p', {}, link({ view: 'replay', id: replay.id }, replay.name), ' ', badge(replay.state), ' ', h('small', {}, replay.reason)),
    progress(replay),
    h('small', {}, `by ${replay.actor}, `, when(replay.createdAt, nowMs)),
  )
}

/** Everything about a bulk replay. */
export function replayCard(scene: Scene, replay: Replay): HTMLElement {
  const nowMs = scene.client.now()
  return h(
    'article',
    { class: 'panel', 'data-key': replay.id },
    h('p', {}, badge(replay.state), ' ', replay.reason),
    progress(replay),
    facts([
      ['Matched', count(replay.total)],
      ['Put on the queue', count(replay.enqueued)],
      ['Not finished', count(replay.queued)],
      ['Succeeded', count(replay.succeeded)],
      ['Failed', count(replay.failed)],
      ['Cancelled', count(replay.cancelled)],
      ['Not looked at yet', count(replay.remaining)],
      ['Left out', replay.leftOut.map(([reason, value]) => `${count(value)} ${leftOutText(reason)}`).join('; ')],
      ['Pace', replay.ratePerSecond === null ? 'as fast as it goes' : `${count(replay.ratePerSecond)} a second`],
      ['Started', [when(replay.createdAt, nowMs), ` by ${replay.actor}`]],
      ['Ended', replay.finishedAt === null ? null : when(replay.finishedAt, nowMs)],
    ]),
    jsonBlock('Filter', replay.filter, false),
    h('div', { class: 'buttons' }, link({ view: 'jobs', filter: { replay_id: replay.id } }, 'Its jobs'), ...buttons(scene, replay)),
  )
}

function progress(replay: Replay): HTMLElement {
  const done = replay.succeeded + replay.failed + replay.cancelled
  const leftOut = replay.leftOut.reduce((sum, [, value]) => sum + value, 0)
  const eta = replay.etaSeconds === null ? '' : `, about ${age(replay.etaSeconds)} to go`
  const text = `${count(done + leftOut)} of ${count(replay.total)} done: ${count(replay.succeeded)} succeeded, ${count(replay.failed)} failed${leftOut > 0 ? `, ${count(leftOut)} left out` : ''}${eta}`
  return h('div', {}, h('progress', { max: Math.max(1, replay.total), value: done + leftOut, 'aria-label': text }), h('small', {}, text))
}

const COMMANDS = {
  pauseReplay: ['Pause', 'Nothing more is put on the queue until it is resumed; what is queued goes on.', false],
  resumeReplay: ['Resume', 'It goes on where it was held.', false],
  cancelReplay: ['Cancel', 'It ends for good. What waits on the queue is cancelled; what runs may finish.', true],
} as const

function buttons({ client, notify, refresh }: Scene, replay: Replay): readonly HTMLElement[] {
  const button = (call: keyof typeof COMMANDS): HTMLElement => {
    const [word, text, dangerous] = COMMANDS[call]
    const command = (): void => {
      void ask({
        title: `${word} the replay “${replay.name}”?`,
        text,
        action: `${word} the replay`,
        dangerous,
        fields: [{ name: 'reason', label: 'Reason (optional, kept in the log)', kind: 'text', maxLength: 1000 }],
        async submit(values) {
          await client.call(call, { params: { id: replay.id }, body: reasonOf(values) })
          notify('good', `${word}: done for the replay “${replay.name}”.`)
          refresh()
        },
      })
    }
    return h('button', { type: 'button', class: dangerous ? 'danger' : undefined, 'data-key': call, onclick: command }, `${word}…`)
  }
  if (replay.state === 'running') return [button('pauseReplay'), button('cancelReplay')]
  return replay.state === 'paused' ? [button('resumeReplay'), button('cancelReplay')] : []
}
