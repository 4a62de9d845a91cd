/** How the plugins of this process change while it runs. Implemented by libs/plugin-host. */
export interface PluginChanges {
  /** An operator has paused it: its jobs are to wait. */
  isPaused(plugin: string): boolean
  /**
   * Called when a plugin became ready, is about to go, was replaced, paused or resumed: ask `find` and `isPaused` how it stands. A plugin
   * that goes waits for what the listener returns. Returns how to stop listening.
   */
  onChange(listener: (plugin: string) => void | Promise<void>): () => void
}
