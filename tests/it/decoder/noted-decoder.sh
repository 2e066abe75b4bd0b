#!/bin/sh
# The real child behind the symbolic link `NAME.real`; notes its process id first.
echo $$ >>"$0.ids"
exec "$0.real" "$@"
