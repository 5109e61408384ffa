# How it looks, and no questions at the first login.
rsvg-convert -w 1920 -h 1080 -o /usr/share/backgrounds/oriel/dusk.png /usr/share/backgrounds/oriel/dusk.svg
apt-get purge -y -q librsvg2-bin >/dev/null

# Started by the session only where they have a purpose.
for name in spice-vdagent tumbler xfce4-notifyd print-applet nm-applet geoclue-demo-agent xscreensaver light-locker at-spi-dbus-bus; do
    rm -f "/etc/xdg/autostart/$name.desktop"
done

mkdir -p /etc/dconf/profile
printf 'user-db:user\nsystem-db:local\n' >/etc/dconf/profile/user
if command -v dconf >/dev/null; then dconf update; fi

# The text console greets with its address for the person who looks at it.
cat >/etc/issue <<'EOF'

  Oriel desktop \n

EOF
: >/etc/motd
gtk-update-icon-cache -q -f /usr/share/icons/hicolor || true
fc-cache -s
