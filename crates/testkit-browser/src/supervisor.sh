# Ends the driver and its browsers when their owner ends, and clears up after them.
#
# The owner keeps our standard input open: however it ends, the pipe closes. The first line is the
# process group of the driver, which its browsers share.
#
# Arguments: the directory that holds their files.
directory=$1
read -r group
while read -r _; do :; done

[ -z "$group" ] || kill -s KILL -- "-$group" 2>/dev/null
# One of them may have been about to write a file.
for _ in 1 2 3 4 5; do
    rm -rf "$directory" 2>/dev/null && break
    sleep 0.1
done
