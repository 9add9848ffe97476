import { site } from 'portico'

export default site({
  listen: [':8082', { on: ':8083' }],
  routes: { '/': { app: 'shop' }, '/static/': { files: './public', list: true } },
  apps: { shop: { python: 'shop:application', dir: './app', workers: 2, deadline: '5s' } },
})
