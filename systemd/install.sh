#!/bin/sh
# Installs the binary, the unit and what belongs to it below DESTDIR; a package does the same.
#
#   DESTDIR=/tmp/root BINARY=target/release/floodwall systemd/install.sh
#
# A configuration that is already there stays. On the running host (no DESTDIR) the user and the folders
# are made as well; starting the service is left to the operator.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
DESTDIR=${DESTDIR:-}
BINARY=${BINARY:?says which program to install}

install -D -m 0755 "$BINARY" "$DESTDIR/usr/bin/floodwall"
pages=$DESTDIR/usr/share/man/man1
mkdir -p "$pages"
# Pages of commands that there are no more.
rm -f "$pages"/floodwall.1 "$pages"/floodwall-*.1
"$BINARY" man "$pages"
complete() { # complete SHELL FILE
  mkdir -p "$DESTDIR${2%/*}"
  "$BINARY" completions "$1" >"$DESTDIR$2"
}
complete bash /usr/share/bash-completion/completions/floodwall
complete zsh /usr/share/zsh/vendor-completions/_floodwall
complete fish /usr/share/fish/vendor_completions.d/floodwall.fish
install -D -m 0644 "$here/floodwall.service" "$DESTDIR/usr/lib/systemd/system/floodwall.service"
install -D -m 0644 "$here/floodwall.sysusers" "$DESTDIR/usr/lib/sysusers.d/floodwall.conf"
install -D -m 0644 "$here/floodwall.tmpfiles" "$DESTDIR/usr/lib/tmpfiles.d/floodwall.conf"
if [ ! -e "$DESTDIR/etc/logrotate.d/floodwall" ]; then
  install -D -m 0644 "$here/floodwall.logrotate" "$DESTDIR/etc/logrotate.d/floodwall"
fi
# Not in force by itself: it changes the host's TCP, which only packet limits with `over: cookie` need.
install -D -m 0644 "$here/floodwall.sysctl" "$DESTDIR/usr/share/doc/floodwall/floodwall.sysctl"
for file in rules.yaml rules_test.yaml dashboard.json; do
  install -D -m 0644 "$here/../appliance/monitoring/$file" "$DESTDIR/usr/share/floodwall/monitoring/$file"
done
if [ ! -e "$DESTDIR/etc/floodwall/floodwall.yaml" ]; then
  install -D -m 0644 "$here/floodwall.yaml" "$DESTDIR/etc/floodwall/floodwall.yaml"
fi

if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then
  systemd-sysusers floodwall.conf
  systemd-tmpfiles --create floodwall.conf
  systemctl daemon-reload
  echo "installed; start it with: systemctl enable --now floodwall"
fi
