/** Which application, and what runs it. */
import { type Declaration, mapped, needless, unsupported } from '../rule.ts'

const SHELL = 'run the interpreter of the virtual environment itself'

export const languages: readonly Declaration[] = [
  mapped('module wsgi wsgi-file file callable test', 'apps.NAME.python'),
  mapped('mount worker-mount', 'apps, and a route for each'),
  mapped('manage-script-name', 'routes: SCRIPT_NAME is the route’s path'),
  mapped('chdir chdir2 force-cwd', 'apps.NAME.dir'),
  mapped('home virtualenv venv pyhome', 'apps.NAME.venv'),
  mapped('pythonpath python-path pp', 'apps.NAME.env.PYTHONPATH'),
  mapped('py-executable py-sys-executable', 'apps.NAME.interpreter', (draft, option) =>
    draft.setApp(['interpreter'], option.value, option),
  ),
  mapped('optimize', 'apps.NAME.env.PYTHONOPTIMIZE', (draft, option) =>
    draft.setApp(['env', 'PYTHONOPTIMIZE'], String(draft.number(option)), option),
  ),
  mapped('plugin plugins need-plugin need-plugins', 'the kind of the application'),
  mapped('gevent', 'apps.NAME.mode: gevent, with so many requests at a time'),
  mapped(
    'py-auto-reload py-autoreload python-auto-reload python-autoreload perl-auto-reload',
    'restart on change, as --reload',
    (draft, option) => {
      if (draft.number(option) > 0) draft.watch = true
    },
  ),
  mapped('php-docroot', 'apps.NAME.php'),
  mapped('php-app php-fallback php-fallback2', 'apps.NAME.front'),
  mapped('php-index', 'apps.NAME.index'),
  mapped('php-set', 'apps.NAME.ini'),
  mapped('psgi', 'apps.NAME.psgi'),
  mapped('rack', 'apps.NAME.rack'),
  mapped('cgi', 'routes.PATH.cgi'),
  mapped('cgi-index', 'routes.PATH.index'),
  mapped('cgi-timeout', 'routes.PATH.deadline'),
  needless(
    'gevent-monkey-patch gevent-early-monkey-patch gevent-wait-for-hub',
    'mode: gevent replaces the blocking parts of the standard library before the application is imported',
  ),
  needless(
    'enable-threads single-interpreter no-site py-call-osafterfork py-call-uwsgi-fork-hooks wsgi-env-behaviour wsgi-env-behavior wsgi-accept-buffer wsgi-accept-buffers wsgi-manage-chunked-input start_response-nodelay py-master-check-signals',
    'workers are ordinary Python processes: each application has its own interpreter, and threads work',
  ),
  needless(
    'plugins-dir plugin-dir plugins-list plugin-list autoload dlopen max-apps threads-stacksize thread-stacksize thread-stack-size threads-stack-size',
    'there are no plugins to load',
  ),
  needless(
    'ignore-script-name no-default-app reload-os-env',
    'routes say which application answers',
  ),
  needless(
    'cgi-buffer-size cgi-optimize cgi-optimized cgi-path-info cgi-close-stdin-on-eof cgi-async-max-attempts cgi-do-not-kill-on-error',
    'CGI programs have their body in a file, PATH_INFO, and end with the request',
  ),
  unsupported('cgi-map-helper cgi-helper', 'give the program a `#!` line and make it executable'),
  unsupported(
    'cgi-mode cgi-from-docroot cgi-allowed-ext cgi-unset cgi-loadlib cgi-safe',
    'name the folder of the programs in a route: { cgi: ./cgi-bin }; whatever is executable in it is one',
  ),
  unsupported(
    'eval python-raw py-sharedarea python-worker-override',
    'put the code into a module and name that',
  ),
  unsupported(
    'pymodule-alias post-pymodule-alias',
    'set sys.modules in the application’s own module',
  ),
  unsupported(
    'import pyimport py-import python-import shared-import shared-pyimport shared-py-import shared-python-import spooler-import spooler-pyimport spooler-py-import spooler-python-import',
    'import it in the application’s own module: all workers are forked from one import',
  ),
  unsupported('pyargv py-programname py-program-name', 'pass it in env'),
  unsupported(
    'paste ini-paste ini-paste-logged paste-logger pecan',
    'write a module with `application = paste.deploy.loadapp("config:" + path)` and name it',
  ),
  unsupported('web3 pump wsgi-lite', 'nobody speaks these any more: WSGI or ASGI'),
  unsupported('pyshell pyshell-oneshot python py pyrun', SHELL),
  unsupported('py-tracebacker', 'at the deadline the stack of every thread is logged'),
  unsupported(
    'py-auto-reload-ignore perl-auto-reload-ignore',
    'watch: { files: …, reload: true } names what counts',
  ),
  unsupported('wsgi-strict wsgi-disable-file-wrapper python-version', 'PEP 3333 is kept to'),
  unsupported(
    'asyncio greenlet async loop loop-list loops-list ugreen ugreen-stacksize tornado coroae fiber',
    'use mode: gevent for WSGI, or an ASGI application for asyncio',
  ),
  unsupported(
    'vhost vhost-host',
    'give each application a host: hosts: { www.example.com: { /: { app: … } } }',
  ),
  unsupported(
    'php-ini php-config php-ini-append php-config-append',
    'name the settings in ini: of the application, or in the php.ini of the machine',
  ),
  unsupported(
    'php-allowed-docroot php-allowed-ext php-allowed-script',
    'only .php in the document root is run, and nothing in no-scripts',
  ),
  unsupported('php-* early-php*', 'php-fpm runs PHP here: use its own settings through ini:'),
  unsupported(
    'perl-* early-perl* early-psgi psgi-enable-psgix-io plshell*',
    'set PERL5LIB or PERL5OPT in env',
  ),
  unsupported('rails', 'name its config.ru: rack'),
  unsupported(
    'ruby-* rb-* rbrequire rubyrequire require shared-rb* shared-ruby* shared-require gemset rvm rvm-path rbshell* rbthreads',
    'set RUBYLIB, RUBYOPT or BUNDLE_GEMFILE in env, and interpreter:',
  ),
  unsupported(
    'lua* jvm* jwsgi servlet ring clojure-load mono-* gccgo-args xslt-* symcall*',
    'run it as a server of its own, and name that in a route: { proxy: … }',
  ),
  unsupported('ping ping-timeout', 'ask a path that is told to: route { respond: pong }'),
]
