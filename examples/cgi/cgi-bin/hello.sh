#!/bin/sh
# The head of the answer, an empty line, the page: that is all there is to CGI.
echo 'Content-Type: text/plain; charset=utf-8'
echo
echo "Hello ${REMOTE_ADDR:-you}, you asked for $SCRIPT_NAME"
echo "with the path '$PATH_INFO' and the query '$QUERY_STRING'."
echo "It is $(date), and this machine has been up since $(uptime -s)."
