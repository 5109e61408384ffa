# Opens or closes the account of one person on a session host. Reads a line each: what to do (open, close), the number of the order, the name
# of the account, whose it is and, to open it, the hash of its password. Says in one word what it came to. It is passed as one argument in
# single quotes, of which it has none itself.
set -u
umask 077
hash=
IFS= read -r order && IFS= read -r number && IFS= read -r name && IFS= read -r person || exit 2
[ "$order" = close ] || IFS= read -r hash || exit 2

# Which accounts are ours, whose they are, and the last order for each. One order at a time.
ours=/var/lib/oriel/accounts
mkdir -p "$ours" || exit 3
exec 9>"$ours/.lock" || exit 3
flock -w 20 9 || exit 3
mark=$ours/$name
owner=
last=0
[ ! -e "$mark" ] || read -r owner last <"$mark"
known=$(getent passwd "$name")

if [ -n "$owner" ] && [ "$owner" != "$person" ]; then
    echo others
    exit 0
fi
if [ -z "$owner" ] && [ -n "$known" ]; then
    # It came with the image, or from a directory of people: its password is not ours to set.
    if [ "$(id -u "$name")" -lt 1000 ]; then echo system; else echo theirs; fi
    exit 0
fi
# What was on its way for long undoes nothing that was asked for since.
if [ "$number" -lt "$last" ]; then
    echo older
    exit 0
fi

if [ "$order" = close ]; then
    if [ -n "$owner" ]; then
        echo "$person $number" >"$mark" || exit 4
    fi
    if [ -n "$known" ]; then
        usermod --lock --expiredate 1 "$name" || exit 4
        uid=$(id -u "$name")
        loginctl terminate-user "$name" >/dev/null 2>&1
        tries=0
        # Until none of theirs is left: some start others.
        while [ "$tries" -lt 20 ] && pkill -KILL -U "$uid"; do
            tries=$((tries + 1))
        done
    fi
    echo closed
    exit 0
fi

# Before it is made: whoever is cut off in between knows it again.
echo "$person $number" >"$mark" || exit 4
if [ -z "$known" ]; then
    useradd --create-home --shell /bin/bash "$name" || exit 5
fi
# The screen, the sound and the GPU that all of them share; nothing of the administrator.
for group in audio video render; do
    ! getent group "$group" >/dev/null || usermod --append --groups "$group" "$name" || exit 5
done
# By its input: what is an argument, all people on this machine can see.
echo "$name:$hash" | chpasswd --encrypted || exit 5
usermod --expiredate "" "$name" || exit 5
home=$(getent passwd "$name" | cut -d: -f6)
chmod 0700 "$home" || exit 5
echo ready
