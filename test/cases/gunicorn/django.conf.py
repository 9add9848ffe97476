"""Gunicorn for a Django project, as tutorials have it."""
# Django WSGI application path in pattern MODULE_NAME:VARIABLE_NAME
wsgi_app = "mysite.wsgi:application"
# The granularity of Error log outputs
loglevel = "debug"
# The number of worker processes for handling requests
workers = 2
# The socket to bind
bind = "127.0.0.1:0"
# Restart workers when code changes (development only!)
reload = False
# Write access and error info to /var/log
accesslog = "@ROOT@/access.log"
errorlog = "@ROOT@/error.log"
# Redirect stdout/stderr to log file
capture_output = True
# PID file so you can easily fetch process ID
pidfile = "@ROOT@/gunicorn.pid"
raw_env = ["DJANGO_ENV=production"]
