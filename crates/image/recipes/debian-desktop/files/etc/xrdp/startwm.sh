#!/bin/sh
# What every user's RDP session runs. No display manager and no Xsession scripts: they cost seconds and bring nothing here.
[ -r /etc/profile ] && . /etc/profile
[ -r "$HOME/.profile" ] && . "$HOME/.profile"
export LANG="${LANG:-en_US.UTF-8}"
export XDG_SESSION_TYPE=x11 XDG_SESSION_DESKTOP=xfce XDG_CURRENT_DESKTOP=XFCE DESKTOP_SESSION=xfce
export XDG_MENU_PREFIX=xfce- XDG_CONFIG_DIRS=/etc/xdg
export GTK_USE_PORTAL=0 MOZ_USE_XINPUT2=1
# Software rendering draws text faster without a compositor between.
export LIBGL_ALWAYS_SOFTWARE=1
if [ -z "${DBUS_SESSION_BUS_ADDRESS:-}" ] && [ -S "${XDG_RUNTIME_DIR:-/nowhere}/bus" ]; then
    export DBUS_SESSION_BUS_ADDRESS="unix:path=$XDG_RUNTIME_DIR/bus"
fi
dbus-update-activation-environment --systemd DISPLAY XAUTHORITY LANG XDG_CURRENT_DESKTOP XDG_SESSION_TYPE 2>/dev/null || true
exec xfce4-session
