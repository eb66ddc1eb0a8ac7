# Runs the server for its owner and outlives it by a moment.
#
# The owner writes orders to our standard input and reads one line for each. However the owner
# ends, the pipe closes: then the server stops and the directory goes.
#
# Arguments: the directory, then the server's command line.
trap '' PIPE
directory=$1
shift
server=

# A signal that comes before the server listens to it is lost, so it is sent until it works.
halt() {
    [ -n "$server" ] || return 0
    while kill "-$1" "$server" 2>/dev/null; do sleep 0.1; done
    wait "$server"
    server=
}

while read -r order; do
    case $order in
    start)
        : >"$directory/log"
        "$@" </dev/null >>"$directory/log" 2>&1 &
        server=$!
        ;;
    stop) halt INT ;;
    crash) halt QUIT ;;
    esac
    echo "$order"
done

halt QUIT
rm -rf "$directory"
