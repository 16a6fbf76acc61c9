# The first process of the node, in a network and among mounts of its own. It makes the mounts and kernel settings that
# the node needs, says that it is done, and then does nothing but keep both alive.
#   $1 the testbed's folder, $2 a file that says when the node is laid out
set -eu
root=$(readlink -f "$1")

# The kubelet, containerd and network plugins leave notes and sockets at fixed places, which belong to those of the
# machine. On the node these places are empty and its own; the testbed's folder stays, also when it lies below one.
own() { mount -t tmpfs -o mode=755 ffe-testbed "$1"; }
own /var/log
mkdir /var/log/testbed
mount --rbind "$root" /var/log/testbed
own /run
own /var/lib
if ! [ "$root" -ef /var/log/testbed ]; then
  mkdir -p "$root"
  mount --rbind /var/log/testbed "$root"
fi
umount -l /var/log/testbed
rmdir /var/log/testbed
mkdir /run/lock /run/kernel

# The kubelet insists on these settings, which the kernel has once for the whole machine. Here it finds them as it
# wants them, and the machine's stay as they are.
shown() {
  if [ -e "/proc/sys/$1" ]; then
    mkdir -p "/run/kernel/$1"
    echo "$2" > "/run/kernel/$1/value"
    mount --bind "/run/kernel/$1/value" "/proc/sys/$1"
  fi
}
shown vm/overcommit_memory 1
shown vm/panic_on_oom 0
shown kernel/panic 10
shown kernel/panic_on_oops 1
shown kernel/keys/root_maxkeys 1000000
shown kernel/keys/root_maxbytes 25000000

# Mounts made for pods must be seen by the kubelet and by containers alike, and by nobody else.
mount --make-rshared /
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
: > "$2"
exec sleep infinity
