import { h } from '../dom.ts'
import { link } from '../parts.ts'
import type { View } from '../view.ts'

/** An address that this console does not have. */
export function nowhereView(hash: string): View {
  return {
    title: 'Nothing here',
    live: false,
    load: async () => [
      h('h1', { tabindex: -1 }, 'Nothing here'),
      h('p', {}, 'This console has no ', h('code', {}, hash), '. ', link({ view: 'overview' }, 'Overview')),
    ],
  }
}
