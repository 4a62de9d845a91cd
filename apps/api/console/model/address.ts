import { JOB_FILTERS, REPLAY_FILTERS, filterOf, queryOf, type Filter } from './filters.ts'

/** What the page shows; each has an address that can be sent to somebody else. */
export type Route =
  | { readonly view: 'overview' }
  | { readonly view: 'jobs'; readonly filter: Filter }
  | { readonly view: 'job'; readonly id: string }
  | { readonly view: 'replays' }
  | { readonly view: 'replay'; readonly id: string }
  | { readonly view: 'new-replay'; readonly filter: Filter }
  | { readonly view: 'plugins' }
  | { readonly view: 'schedules' }
  | { readonly view: 'nowhere'; readonly hash: string }

/** The address of a view, always beginning with `#/`: whatever an id or a filter holds, a link stays on this page. */
export function hashOf(route: Route): string {
  switch (route.view) {
    case 'overview':
      return '#/'
    case 'jobs':
      return `#/jobs${asQuery(route.filter)}`
    case 'job':
      return `#/jobs/${encodeURIComponent(route.id.toWellFormed())}`
    case 'replays':
      return '#/replays'
    case 'replay':
      return `#/replays/${encodeURIComponent(route.id.toWellFormed())}`
    case 'new-replay':
      return `#/replays/new${asQuery(route.filter)}`
    case 'plugins':
      return '#/plugins'
    case 'schedules':
      return '#/schedules'
    case 'nowhere':
      return route.hash.startsWith('#/') ? route.hash : '#/'
  }
}

export function routeOf(hash: string): Route {
  const [path = '', query = ''] = splitOnce(hash.replace(/^#\/?/, ''), '?')
  const [first = '', second, ...more] = path.split('/')
  const nowhere: Route = { view: 'nowhere', hash }
  const id = second === undefined ? undefined : decoded(second)
  if (more.length > 0 || id === null) return nowhere
  const params = new URLSearchParams(query)
  switch (first) {
    case '':
      return id === undefined ? { view: 'overview' } : nowhere
    case 'jobs':
      return id === undefined ? { view: 'jobs', filter: filterOf(params, JOB_FILTERS) } : { view: 'job', id }
    case 'replays':
      if (id === undefined) return { view: 'replays' }
      return id === 'new' ? { view: 'new-replay', filter: filterOf(params, REPLAY_FILTERS) } : { view: 'replay', id }
    case 'plugins':
    case 'schedules':
      return id === undefined ? { view: first } : nowhere
    default:
      return nowhere
  }
}

function asQuery(filter: Filter): string {
  const query = queryOf(filter)
  return query === '' ? '' : `?${query}`
}

/** Null: not a text that `encodeURIComponent` makes, or empty. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text) || null
  } catch {
    return null
  }
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator)
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}
