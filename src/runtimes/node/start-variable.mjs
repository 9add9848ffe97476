/* Holds a worker's order, as JSON, in its environment, and is removed from there at once. */
export const START_VARIABLE = 'PORTICO_NODE_WORKER'
