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
uid=
[ -z "$known" ] || uid=$(id -u "$name") || exit 4
# On the disk as a whole or not at all: an account whose mark a power cut emptied would be left open for ever.
keep_mark() {
    echo "$person $number" >"$ours/.new" && sync "$ours/.new" && mv -f "$ours/.new" "$mark" || exit 4
}

if [ -n "$owner" ] && [ "$owner" != "$person" ]; then
    echo others
    exit 0
fi
# Also where it came after ours was to be made, and could not be.
if [ -n "$uid" ] && [ "$uid" -lt 1000 ]; then
    echo system
    exit 0
fi
if [ -z "$owner" ] && [ -n "$known" ]; then
    # It came with the image, or from a directory of people: its password is not ours to set.
    echo theirs
    exit 0
fi
# What was on its way for long undoes nothing that was asked for since.
if [ "$number" -lt "$last" ]; then
    echo older
    exit 0
fi

if [ "$order" = close ]; then
    if [ -n "$owner" ]; then
        keep_mark
    fi
    if [ -n "$known" ]; then
        # Timers of theirs ask whether the account has expired, as those who sign in do.
        usermod --lock --expiredate 1 "$name" || exit 4
        timeout 3 loginctl disable-linger "$name" >/dev/null 2>&1
        timeout 3 loginctl terminate-user "$name" >/dev/null 2>&1
        tries=0
        pkill -KILL -U "$uid"
        # Until none of theirs is left, for some start others. What has ended and is not fetched by its parent does nothing any more.
        while ps -o stat= -U "$uid" | grep -qv "^Z"; do
            [ "$tries" -lt 40 ] || exit 6
            tries=$((tries + 1))
            sleep 0.1
            pkill -KILL -U "$uid"
        done
    fi
    echo closed
    exit 0
fi

# Before it is made: whoever is cut off in between knows it again.
keep_mark
if [ -z "$known" ]; then
    # A group of their own, and not one that is called as they are: in some systems "admin" or "docker" may do everything.
    group=oriel-$(printf %s "$person" | sha256sum | cut -c1-26)
    groupadd --force "$group" || exit 5
    if ! useradd --create-home --shell /bin/bash --gid "$group" "$name"; then
        getent passwd "$name" >/dev/null || rm -f "$mark"
        exit 5
    fi
fi
# The GPU that all of them share; not "video" nor "audio", whose are the own screen and microphone of the machine, and nothing of the administrator.
! getent group render >/dev/null || usermod --append --groups render "$name" || exit 5
# By its input: what is an argument, all people on this machine can see.
echo "$name:$hash" | chpasswd --encrypted || exit 5
usermod --expiredate "" "$name" || exit 5
home=$(getent passwd "$name" | cut -d: -f6)
chmod 0700 "$home" || exit 5
echo ready
