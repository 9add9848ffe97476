import multiprocessing
import os

wsgi_app = 'wsgi:create_app("a flask")'
bind = os.getenv("WEB_BIND", "127.0.0.1:0")
accesslog = "-"
access_log_format = "%(h)s %(l)s %(u)s %(t)s '%(r)s' %(s)s %(b)s '%(f)s' '%(a)s' in %(D)sµs"
workers = int(os.getenv("WEB_CONCURRENCY", min(2, multiprocessing.cpu_count() * 2)))
threads = int(os.getenv("PYTHON_MAX_THREADS", 2))
reload = bool(os.getenv("WEB_RELOAD", ""))
timeout = int(os.getenv("WEB_TIMEOUT", 120))
preload_app = True
max_requests = 1000
max_requests_jitter = 50
keepalive = 5
forwarded_allow_ips = "*"
