/**
 * BullMQ runs lower numbers first, and 0 or none before everything: ours (0–100, higher first) become 101–1. Pure.
 */
export function bullPriority(priority: number): number {
  return 101 - Math.min(100, Math.max(0, priority))
}

export function ownPriority(bull: number): number {
  return 101 - bull
}
