import type { Manifest, Requirement } from './manifest.ts'

/** Plugins that require each other in a circle. */
export interface Circle {
  /** By name. */
  readonly members: readonly string[]
  /** The shortest circle through this member: it stands first and last. */
  wayFrom(member: string): readonly string[]
}

/** Strongly connected components (Tarjan) of several plugins, or of one that requires itself. */
export function circles(manifests: readonly Manifest[]): readonly Circle[] {
  const here = new Map(manifests.map((manifest) => [String(manifest.name), manifest]))
  return components(here)
    .filter((names) => names.length > 1 || requirementsOf(here, names[0]).some(({ name }) => name === names[0]))
    .map((names) => {
      const members = new Set(names)
      return { members: names.toSorted(), wayFrom: (member) => circleFrom(member, members, here) }
    })
}

function requirementsOf(manifests: ReadonlyMap<string, Manifest>, name: string | undefined): readonly Requirement[] {
  return name === undefined ? [] : (manifests.get(name)?.requires ?? [])
}

function components(manifests: ReadonlyMap<string, Manifest>): string[][] {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const onStack = new Set<string>()
  const found: string[][] = []
  const lowest = (name: string, candidate: number): void => {
    low.set(name, Math.min(low.get(name) ?? candidate, candidate))
  }
  const open = (name: string) => {
    const number = index.size
    index.set(name, number)
    low.set(name, number)
    stack.push(name)
    onStack.add(name)
    return { name, next: requirementsOf(manifests, name).values() }
  }
  // An explicit stack of frames: a chain of plugins may be longer than the call stack.
  for (const root of manifests.keys()) {
    if (index.has(root)) continue
    const frames = [open(root)]
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const step = frame.next.next()
      if (!step.done) {
        const target: string = step.value.name
        if (!manifests.has(target)) continue
        const seen = index.get(target)
        if (seen === undefined) frames.push(open(target))
        else if (onStack.has(target)) lowest(frame.name, seen)
        continue
      }
      frames.pop()
      const { name } = frame
      const parent = frames.at(-1)
      const mine = low.get(name) ?? 0
      if (parent !== undefined) lowest(parent.name, mine)
      if (mine !== index.get(name)) continue
      const component = stack.splice(stack.indexOf(name))
      for (const member of component) onStack.delete(member)
      found.push(component)
    }
  }
  return found
}

/** The shortest way from `start` back to it inside its component. */
function circleFrom(start: string, members: ReadonlySet<string>, manifests: ReadonlyMap<string, Manifest>): string[] {
  const cameFrom = new Map<string, string>()
  const queue = [start]
  for (const name of queue) {
    for (const { name: target } of requirementsOf(manifests, name)) {
      if (target === start) {
        const way = [start]
        for (let step: string | undefined = name; step !== undefined && step !== start; step = cameFrom.get(step)) way.unshift(step)
        return [start, ...way]
      }
      if (!members.has(target) || cameFrom.has(target)) continue
      cameFrom.set(target, name)
      queue.push(target)
    }
  }
  return [start]
}
