#!/bin/sh
# Runs the packaged agent with its own Node. What touches the device's identity and state runs as the user of the
# service, so that root's enrolment leaves no file behind that the service cannot read.
lib=/usr/lib/espalier-agent
export MALLOC_TRIM_THRESHOLD_=131072 MALLOC_ARENA_MAX=2
case "${1:-}" in
  enrol | run | status)
    if [ "$(id -u)" = 0 ]; then
      exec setpriv --reuid=espalier --regid=espalier --init-groups "$lib/node" "$lib/dist/main.js" "$@"
    fi
    ;;
esac
exec "$lib/node" "$lib/dist/main.js" "$@"
