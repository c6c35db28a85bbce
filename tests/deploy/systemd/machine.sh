#!/bin/sh
# Boots systemd as the first process of a small machine: namespaces of its own, this host's programs, nothing of its units.
# Called by machine.py, in a new mount namespace, with: DIRECTORY (empty, for the root), FILES (what the root is to hold),
# PYTHON (the prefix of an interpreter), LIBRARIES (its packages), NAME (of the control group).
set -eu

# A control group of its own, below the caller's. It is mounted here, wherever the host has it, if at all.
mount -t tmpfs tmpfs "$DIRECTORY"
mkdir "$DIRECTORY/cgroup"
mount -t cgroup2 cgroup2 "$DIRECTORY/cgroup"
group=$DIRECTORY/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/$NAME
mkdir "$group"
echo $$ >"$group/cgroup.procs"

cat >"$DIRECTORY/boot" <<'EOF'
set -eu
root=$DIRECTORY/root
mkdir "$root"
mount -t tmpfs -o mode=0755 tmpfs "$root"
cd "$root"
mkdir -p usr opt/libraries opt/python proc sys dev run tmp etc var/lib var/log root home old
mount --bind -o ro /usr usr
for directory in bin sbin lib lib64; do
    if [ -L "/$directory" ]; then cp -a "/$directory" .; elif [ -d "/$directory" ]; then
        mkdir "$directory"
        mount --bind -o ro "/$directory" "$directory"
    fi
done
mount --bind -o ro "$PYTHON" opt/python
mount --bind -o ro "$LIBRARIES" opt/libraries
cp -a "$FILES/." .
cp -a /etc/ld.so.conf.d etc/

mount -t proc proc proc
# What is one for the whole host is only to be read.
for path in proc/sys proc/sysrq-trigger; do
    [ -e "$path" ] || continue  # not every kernel has both
    mount --bind "$path" "$path"
    mount -o remount,bind,ro "$path"
done
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=0755 tmpfs dev
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm dev/mqueue
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
ln -s pts/ptmx dev/ptmx

pivot_root . old
umount -l /old
mount --make-rshared /  # among the machine's own namespaces, as systemd would do were it not in a container
# An interpreter that was built by hand may have noted where its library is: here it is somewhere else.
printf '/opt/python/lib\ninclude /etc/ld.so.conf.d/*.conf\n' >/etc/ld.so.conf
ldconfig
# systemd behaves well in containers, and in the test's directory there are no units and generators but the test's.
exec setpriv --bounding-set=-sys_boot,-sys_module,-sys_rawio,-sys_time,-syslog \
    env -i container=test PATH=/usr/sbin:/usr/bin LANG=C.UTF-8 \
    SYSTEMD_UNIT_PATH=/etc/systemd/system SYSTEMD_GENERATOR_PATH=/nonexistent \
    /lib/systemd/systemd --system --unit=multi-user.target --show-status=no --log-target=journal
EOF

exec unshare --cgroup --mount --pid --fork --kill-child --ipc --uts --propagation private sh "$DIRECTORY/boot"
