import { age } from '../model/format.ts'
import { problemOfError } from './dialog.ts'
import { byId, h, morph } from './dom.ts'
import { problemBox, tickTimes } from './parts.ts'
import type { View } from './view.ts'

const REFRESH_MS = 3_000
/** What takes long is asked for less often, so that an open page is no burden. What failed is tried again soon. */
const REST_PER_LOAD = 9
const LONGEST_REST_MS = 10_000

/** Shows one view at a time and keeps it fresh while somebody can see it. */
export interface Screen {
  show(view: View): void
  /** Loads again, now. */
  readonly refresh: () => void
  /** Stops to refresh by itself, or begins again; true: it has stopped. */
  readonly hold: () => boolean
}

/** A view while it is shown. One load at a time; what is asked for meanwhile comes after it, for it may have read before a change. */
interface Shown {
  readonly view: View
  readonly left: AbortController
  loadedAtMs: number | undefined
  loading: boolean
  again: boolean
}

export function createScreen(content: HTMLElement, now: () => number): Screen {
  let shown: Shown | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let held = false

  const load = async (current: Shown, forced: boolean): Promise<void> => {
    clearTimeout(timer)
    if (current.loading) {
      current.again ||= forced
      return
    }
    current.loading = true
    let failed = false
    let refused = false
    const begunMs = performance.now()
    try {
      const nodes = await current.view.load(current.left.signal, forced)
      if (current !== shown) return
      put(current, nodes, forced)
      current.loadedAtMs = Date.now()
      tell()
    } catch (error) {
      if (current !== shown) return
      if (current.loadedAtMs === undefined) content.replaceChildren()
      failed = true
      refused = tell(error) === 401
    } finally {
      current.loading = false
      if (current === shown) {
        tick()
        if (current.again) {
          current.again = false
          void load(current, true)
          // Without a key each further try would count as somebody guessing.
        } else if (!refused) schedule(current, failed ? 0 : performance.now() - begunMs)
      }
    }
  }

  const put = (current: Shown, nodes: readonly Node[], forced: boolean): void => {
    if (current.loadedAtMs === undefined) {
      content.replaceChildren(...nodes)
      window.scrollTo(0, 0)
      content.querySelector('h1')?.focus({ preventScroll: true })
    } else if (forced || !selecting(content)) morph(content, nodes)
  }

  /** What stands above the content when it could not be loaded; what is shown below is old then. Returns the status. */
  const tell = (error?: unknown): number | undefined => {
    const problem = error === undefined ? undefined : problemOfError(error)
    // The same trouble again is not read out again.
    morph(byId('trouble'), problem === undefined ? [] : [problemBox(problem)])
    byId('enter-key').hidden = problem?.status !== 401
    content.classList.toggle('stale', problem !== undefined)
    return problem?.status
  }

  const schedule = (current: Shown, tookMs: number): void => {
    clearTimeout(timer)
    if (current.view.live && !held && !document.hidden) {
      timer = setTimeout(() => void load(current, false), Math.max(REFRESH_MS, Math.min(LONGEST_REST_MS, tookMs * REST_PER_LOAD)))
    }
  }

  /** Ages go on between refreshes. */
  const tick = (): void => {
    tickTimes(content, now())
    const readMs = shown?.view.live === true ? shown.loadedAtMs : undefined
    byId('freshness').textContent = readMs === undefined ? '' : `read ${age((Date.now() - readMs) / 1000)} ago`
  }

  const goOn = (): void => {
    if (shown?.view.live === true && !held && !document.hidden) void load(shown, false)
  }
  document.addEventListener('visibilitychange', () => (document.hidden ? clearTimeout(timer) : goOn()))
  setInterval(tick, 1_000)

  return {
    show(view) {
      shown?.left.abort()
      for (const id of ['reload', 'auto']) byId(id).hidden = !view.live
      shown = { view, left: new AbortController(), loadedAtMs: undefined, loading: false, again: false }
      content.replaceChildren(h('p', { class: 'empty' }, 'Loading…'))
      tell()
      void load(shown, true)
    },
    refresh: () => {
      if (shown !== undefined) void load(shown, true)
    },
    hold: () => {
      held = !held
      if (held) clearTimeout(timer)
      else goOn()
      tick()
      return held
    },
  }
}

/** Nothing moves under what somebody is about to copy. */
function selecting(content: HTMLElement): boolean {
  const selection = document.getSelection()
  return selection !== null && !selection.isCollapsed && content.contains(selection.anchorNode)
}
