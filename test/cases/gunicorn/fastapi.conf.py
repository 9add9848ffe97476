import json
import multiprocessing
import os

workers_per_core_str = os.getenv("WORKERS_PER_CORE", "1")
cores = multiprocessing.cpu_count()
web_concurrency = max(int(float(workers_per_core_str) * 1), 2)

# Gunicorn config variables
wsgi_app = "main:app"
loglevel = "info"
workers = web_concurrency
bind = "127.0.0.1:0"
errorlog = "-"
worker_tmp_dir = "/dev/shm"
accesslog = "-"
graceful_timeout = 120
timeout = 120
keepalive = 5
worker_class = "uvicorn.workers.UvicornWorker"

# For debugging and testing
log_data = {"loglevel": loglevel, "workers": workers, "bind": bind, "host": None}
print(json.dumps(log_data))
