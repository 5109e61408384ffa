# Mounts the personal disk as the home of the account "$1", which the key "$2" opens. Runs at every start before anybody can sign in,
# and once more when the account has been made. Where there is no such disk, it does nothing.
user=$1
key=$2
home=/home/$user
label=oriel-home

# The disk is known by its serial number: names like vdc are given in the order in which disks are met.
device=
for serial in /sys/block/*/serial; do
    [ -r "$serial" ] && [ "$(cat "$serial")" = "$label" ] || continue
    name=${serial#/sys/block/}
    device=/dev/${name%/serial}
done
[ -n "$device" ] || exit 0

# Accounts of other images may have other numbers. Everything is theirs already where the home itself is.
own_home() {
    id "$user" >/dev/null 2>&1 || return 0
    if [ "$(stat -c %u "$home")" != "$(id -u "$user")" ]; then
        chown -Rh "$user:" "$home"
    else
        # What was just put there.
        chown -Rh "$user:" "$home/.ssh" "$home/.oriel-home" 2>/dev/null
    fi
}

give_up() {
    echo "oriel: the personal disk is not mounted: $1" >&2
    # An account whose home is there gets nothing in it, nor is the home made its own: nobody could sign in.
    [ -d "$home" ] || { mkdir -p "$home" && cp -a /etc/skel/. "$home/" && chmod 0700 "$home"; }
    rm -f "$home/PERSONAL DISK IS MISSING.txt"
    echo "Your personal disk could not be mounted: $1. What you keep here is lost when this desktop is made anew; ask an administrator." \
        >"$home/PERSONAL DISK IS MISSING.txt"
    own_home
    exit 0
}

if ! grep -q "^$device $home " /proc/mounts; then
    if [ -z "$(blkid -p -o value -s TYPE "$device" 2>/dev/null)" ]; then
        # Only what was never written to is formatted: a disk that is damaged is somebody's.
        cmp -s -n 4194304 "$device" /dev/zero || give_up "it is not empty, and has no file system that can be read"
        # ext4 keeps copies of what it begins with: a disk that has lost its beginning still has these (every disk has 1 GiB).
        for mib in 128 384 640 896; do
            cmp -s -n 65536 -i "$((mib * 1048576)):0" "$device" /dev/zero || give_up "its file system has lost its beginning"
        done
        mkfs.ext4 -q -L "$label" "$device" || give_up "it could not be formatted"
    fi
    # 1 and 2: what was wrong is mended.
    e2fsck -p "$device" >/dev/null 2>&1
    [ $? -lt 4 ] || give_up "its file system is damaged"
    mkdir -p "$home"
    mount -o noatime "$device" "$home" || give_up "it cannot be mounted"
    resize2fs "$device" >/dev/null 2>&1
    if [ ! -e "$home/.oriel-home" ]; then
        # What is there stays, whatever became of the mark.
        cp -an /etc/skel/. "$home/"
        : >"$home/.oriel-home"
        chmod 0700 "$home"
    fi
    # Keys of desktops of before let nobody in any more; this one's is not on the disk of another.
    # Root follows no links that its person put there.
    [ ! -L "$home/.ssh" ] || rm -f "$home/.ssh"
    mkdir -p -m 0700 "$home/.ssh"
    [ ! -L "$home/.ssh/authorized_keys" ] || rm -f "$home/.ssh/authorized_keys"
    others=$(grep -v ' oriel$' "$home/.ssh/authorized_keys" 2>/dev/null | grep -vxF "$key")
    (umask 077; printf '%s\n' ${others:+"$others"} "$key" >"$home/.ssh/authorized_keys")
fi

own_home
exit 0
