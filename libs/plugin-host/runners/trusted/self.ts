import type { TrustedBase } from '@xcore/sdk'

const selves = new WeakMap<TrustedBase, object>()

/** Says that `plugin` only stands for `self`, an old-style object. */
export function actFor(plugin: TrustedBase, self: object): void {
  selves.set(plugin, self)
}

/** What the plugin's functions find as `this`. */
export function selfOf(plugin: TrustedBase): object {
  return selves.get(plugin) ?? plugin
}
