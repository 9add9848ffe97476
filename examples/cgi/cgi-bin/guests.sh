#!/bin/sh
# Streams: each line is sent when it is printed. Try `curl -N` on it.
echo 'Content-Type: text/plain; charset=utf-8'
echo
for guest in Ada Grace Barbara Radia; do
  echo "$guest has come in"
  sleep 1
done
