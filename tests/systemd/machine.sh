# One machine: boots IMAGE with systemd as its first process, on a veth pair with the caller as its client.
# Sourced by `stories`, which runs in namespaces of its own.
#
#   boot IMAGE        returns when the machine is up
#   inside CMD...     runs CMD in it, for a minute at most
#   root_of           its file system, seen from outside
#   power_off         stops it and waits

client_address=192.0.2.1
machine_address=192.0.2.2
machine=floodwall
nspawn_pid=
leader=

boot() {
  ip link set lo up
  # A writable /sys, because the mount point of bpffs is missing in nspawn's.
  SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes systemd-nspawn --quiet --boot --directory="$1" --volatile=overlay \
    --machine="$machine" --register=no --keep-unit --network-veth --console=read-only \
    --capability=CAP_BPF,CAP_NET_ADMIN,CAP_PERFMON --system-call-filter=bpf \
    </dev/null >"$logs/console.log" 2>&1 &
  nspawn_pid=$!
  wait_until 30 find_leader || { cat "$logs/console.log"; return 1; }
  wait_until 60 is_up || { tail -n 30 "$logs/console.log"; return 1; }
  connect
  # A host's systemd mounts it at boot, for root alone; in a container it leaves that to others.
  inside mkdir -p /sys/fs/bpf
  inside mount -t bpf -o mode=700,nosuid,nodev,noexec bpf /sys/fs/bpf
}

find_leader() {
  leader=$(pgrep --parent "$nspawn_pid" | head -n 1)
  [ -n "$leader" ]
}

is_up() { inside systemctl is-system-running 2>/dev/null | grep -qE '^(running|degraded)$'; }

connect() {
  ip address add "$client_address/24" dev "ve-$machine"
  ip link set "ve-$machine" up
  inside ip address add "$machine_address/24" dev host0
  inside ip link set host0 up
}

inside() { timeout 60 nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup -- "$@"; }

root_of() { echo "/proc/$leader/root"; }

power_off() {
  inside systemctl poweroff
  wait_until 30 has_ended "$nspawn_pid"
}
