#!/bin/sh
# Stands in for the child, called through a symbolic link: starts the real one behind `NAME.real`
# by the words in `NAME.before` (such as `setpriv …`), with those in `NAME.after` before its own.
exec $(/bin/cat "$0.before") "$0.real" $(/bin/cat "$0.after") "$@"
