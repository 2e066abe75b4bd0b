#!/bin/sh
# A child that says what its test wrote beside it, then does as it was told: `stall` until it is
# killed, `kill` itself, or end. Called through a symbolic link, whose name leads to its files.
/bin/cat "$0.says"
case "$(/bin/cat "$0.then")" in
stall) exec /bin/sleep 1000 ;;
kill) kill -9 $$ ;;
esac
