function fail(): never {
  throw new TypeError('no such thing')
}

export default { routes: { '/': { respond: String(fail()) } } }
