/** How many workers an application is to have: one algorithm a file, chosen by `workers.by`. */

/** What was seen in one cycle. */
export interface Load {
  /** Workers that serve. */
  readonly workers: number
  /** Of these, with something in hand. */
  readonly busy: number
  /** Requests in the queue. */
  readonly waiting: number
  /** Requests that workers have finished in the cycle. */
  readonly served: number
  /** What they took together, ms. */
  readonly workMs: number
  /** What those that left the queue had waited, or those in it will have; ms. */
  readonly delayMs: number
  /** The cycle's own length, ms. */
  readonly cycleMs: number
  /** Requests that a worker takes at a time. */
  readonly capacity: number
}

/** Asked once a cycle. What it says is brought between the least and the most by whoever asks. */
export interface Scaler {
  /** The workers that are wanted, where `active` are now. */
  decide(load: Load, active: number): number
}

/** Knobs of the algorithms that are uWSGI's have its names without `cheaper-`. */
export interface ScalerPlan {
  /** Free workers that are kept for what may come. */
  readonly spare: number
  /** Workers that are added at a time. */
  readonly step: number
  /** Cycles (requests, for `backlog`) that are borne before anything is done. */
  readonly overload: number
  /** The waiting time that is aimed at, ms. */
  readonly delayMs: number
  readonly busyness: BusynessPlan
}

export interface BusynessPlan {
  /** Per cent of the time: below, workers are too many; above, too few. */
  readonly min: number
  readonly max: number
  /** Rounds without work before a worker ends. */
  readonly multiplier: number
  /** Added to that each time that a worker was missed soon after its end. */
  readonly penalty: number
  /** Waiting requests at which workers are added at once. */
  readonly backlogAlert: number
  readonly backlogStep: number
  /** The multiplier while such workers are there. */
  readonly backlogMultiplier: number
}
