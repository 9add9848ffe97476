/**
 * Tells when files change, come or go. One kernel watch a folder; patterns are asked again for every
 * change in a folder that they lead to, and folders that come later are followed.
 */
import { type FSWatcher, lstatSync, readdirSync, statSync, watch } from 'node:fs'
import { basename, dirname, join, matchesGlob, sep } from 'node:path'
import type { WatchPlan } from '../site/background-plan.ts'
import type { Logger } from '../supervisor/logger.ts'
import type { Clock } from './clock.ts'
import type { Task } from './task.ts'

/** A bound on kernel watches of one task. */
const MOST_FOLDERS = 1_024
/** Changed paths that a run is told of. */
const MOST_TOLD = 20
/** What never rests is told all the same, after so many times the time that it has to rest. */
const MOST_SETTLES = 10
const GLOB = /[*?[{]/

interface Folder {
  readonly watcher: FSWatcher
  readonly inode: number
  /** What is below it matters as well, however deep. */
  readonly inTree: boolean
}

export class FileWatch {
  readonly plan: WatchPlan
  readonly #task: Task
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #folders = new Map<string, Folder>()
  readonly #changed = new Set<string>()
  #firstChange = 0
  #cancel: () => void = () => {}
  #isSettingUp = true
  #isFull = false

  constructor(plan: WatchPlan, task: Task, logger: Logger, clock: Clock) {
    this.plan = plan
    this.#task = task
    this.#logger = logger
    this.#clock = clock
    for (const file of plan.files) this.#follow(file)
    this.#isSettingUp = false
  }

  stop(): void {
    this.#cancel()
    for (const { watcher } of this.#folders.values()) watcher.close()
    this.#folders.clear()
  }

  /** Watches every folder that `pattern` leads through: what is not there yet may come. */
  #follow(pattern: string): void {
    const parts = pattern.split(sep).slice(1)
    let folders: string[] = [sep]
    for (const [depth, part] of parts.entries()) {
      const isLast = depth === parts.length - 1
      // The fixed beginning needs no watch as long as it is there.
      const next = parts[depth + 1] ?? ''
      if (part === '**') {
        for (const folder of folders) this.#followTree(folder)
        return
      }
      folders = folders.flatMap((folder) => {
        const fixed = !GLOB.test(part)
        const found = fixed ? [part] : subfolders(folder).filter((name) => matchesGlob(name, part))
        const there = found.map((name) => join(folder, name)).filter(isFolder)
        if (isLast || !fixed || there.length === 0 || GLOB.test(next)) this.#add(folder)
        return there
      })
    }
    // A folder that is named stands for what is in it.
    for (const folder of folders) this.#add(folder)
  }

  #followTree(folder: string): void {
    if (!this.#add(folder, true)) return
    // Links may lead round in circles.
    const names = subfolders(folder).filter((name) => !isLink(join(folder, name)))
    for (const name of names) this.#followTree(join(folder, name))
  }

  /** True when it was not watched before. */
  #add(folder: string, inTree = false): boolean {
    const inode = inodeOf(folder)
    const before = this.#folders.get(folder)
    // One that has come in the place of another is not the same to the kernel.
    if (before?.inode === inode && (before.inTree || !inTree)) return false
    if (before !== undefined) this.#drop(folder)
    if (this.#folders.size >= MOST_FOLDERS) {
      this.#sayFull()
      return false
    }
    try {
      const watcher = watch(folder, (event, name) => {
        if (name !== null) this.#seen(event, folder, name)
      })
      watcher.on('error', () => this.#drop(folder))
      this.#folders.set(folder, { watcher, inode, inTree })
    } catch {
      return false
    }
    // What a new folder holds came before it could be watched.
    if (!this.#isSettingUp) for (const name of namesIn(folder)) this.#judge(join(folder, name))
    return true
  }

  #sayFull(): void {
    if (this.#isFull) return
    this.#isFull = true
    const { name } = this.plan
    this.#logger.warn(`${name}: more than ${MOST_FOLDERS} folders; changes in the others go unseen`)
  }

  #drop(folder: string): void {
    this.#folders.get(folder)?.watcher.close()
    this.#folders.delete(folder)
  }

  #seen(event: string, folder: string, name: string): void {
    const path = join(folder, name)
    if (event === 'rename') {
      const inTree = this.#folders.get(folder)?.inTree === true
      // So its own end is told as well; the next one of that name may even have its number.
      if (name === basename(folder)) this.#drop(folder)
      for (const file of this.plan.files) this.#follow(file)
      if (inTree && isFolder(path) && !isLink(path)) this.#followTree(path)
    }
    this.#judge(path)
  }

  #judge(path: string): void {
    if (!this.plan.files.some((pattern) => fits(path, pattern))) return
    const clock = this.#clock
    const { settleMs } = this.plan
    if (this.#changed.size === 0) this.#firstChange = clock.elapsed()
    if (this.#changed.size < MOST_TOLD) this.#changed.add(path)
    const latest = this.#firstChange + MOST_SETTLES * settleMs - clock.elapsed()
    this.#cancel()
    this.#cancel = clock.after(Math.max(0, Math.min(settleMs, latest)), () => {
      const paths = [...this.#changed].join(', ')
      this.#changed.clear()
      this.#task.due(`changed: ${paths}`)
    })
  }
}

function fits(path: string, pattern: string): boolean {
  return path === pattern || dirname(path) === pattern || matchesGlob(path, pattern)
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

/** 0 for what is not there. */
function inodeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0
}

/** Hidden ones are for patterns that name them. */
function subfolders(folder: string): string[] {
  return namesIn(folder).filter((name) => !name.startsWith('.') && isFolder(join(folder, name)))
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
