import { build, graph, number } from './panel.ts'
import { INSTANCE, increase, orZero, rate } from './promql.ts'

const ITEMS = 'xcore_replay_items_total'
const REMAINING = `max(xcore_replay_remaining_items{${INSTANCE}})`

export const replay = build({
  name: 'replay',
  title: 'Replay',
  description: 'Bulk replays: how far they are, and what becomes of their items.',
  byPlugin: false,
  rows: [
    {
      title: 'Now',
      panels: [
        number({
          title: 'Remaining',
          description: 'Items that running replays have not looked at yet.',
          unit: 'short',
          span: 8,
          queries: [{ expr: REMAINING }],
        }),
        number({
          title: 'Enqueued',
          description: 'In the shown time.',
          unit: 'short',
          span: 8,
          queries: [{ expr: orZero(increase(ITEMS, `result="enqueued",${INSTANCE}`)) }],
        }),
        number({
          title: 'Left out',
          description: 'In the shown time: replayed with success before, unsafe, without a handler, or no longer valid.',
          unit: 'short',
          span: 8,
          queries: [{ expr: orZero(increase(ITEMS, `result!="enqueued",${INSTANCE}`)) }],
        }),
      ],
    },
    {
      title: 'Over time',
      panels: [
        graph({
          title: 'Items by result',
          description: '`enqueued` or why an item was left out.',
          unit: 'ops',
          queries: [{ expr: orZero(rate(ITEMS, INSTANCE, ['result'])), legend: '{{result}}' }],
        }),
        graph({
          title: 'Remaining',
          description: 'A line that stands still above 0 is a replay that is stuck.',
          unit: 'short',
          queries: [{ expr: REMAINING }],
        }),
        graph({
          title: 'Replays beside other work',
          description: 'Jobs accepted, by whether they repeat others.',
          unit: 'ops',
          queries: [
            { expr: orZero(rate('xcore_jobs_submitted_total', `source="replay",${INSTANCE}`)), legend: 'replays' },
            { expr: rate('xcore_jobs_submitted_total', `source!="replay",${INSTANCE}`), legend: 'other' },
          ],
        }),
      ],
    },
  ],
})
