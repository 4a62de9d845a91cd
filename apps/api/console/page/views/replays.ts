import { replayOf, replaysOf } from '../../model/answers.ts'
import { fieldsOf } from '../../model/read.ts'
import { h } from '../dom.ts'
import { link } from '../parts.ts'
import type { Scene, View } from '../view.ts'
import { replayCard, replayLine } from './replay-parts.ts'

/** Bulk replays, newest first. */
export function replaysView({ client }: Scene): View {
  return {
    title: 'Replays',
    live: true,
    async load(signal) {
      const replays = replaysOf(await client.call('replays', { query: 'limit=50', signal }))
      return [
        h('h1', { tabindex: -1 }, 'Replays'),
        h('p', {}, link({ view: 'new-replay', filter: { state: 'failed,dead', since: '24h' } }, 'New replay…')),
        ...(replays.length === 0
          ? [h('p', { class: 'empty' }, 'Nothing was replayed in bulk. Single jobs are replayed on their own page.')]
          : replays.map((replay) => replayLine(replay, client.now()))),
      ]
    },
  }
}

/** One bulk replay. */
export function replayView(scene: Scene, id: string): View {
  return {
    title: 'Replay',
    live: true,
    async load(signal) {
      const replay = replayOf(fieldsOf(await scene.client.call('replay', { params: { id }, signal })))
      return [h('h1', { tabindex: -1 }, replay.name), h('p', {}, h('code', { class: 'id' }, replay.id)), replayCard(scene, replay)]
    },
  }
}
