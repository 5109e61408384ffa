# Inside the new system, as root: units, users' defaults, boot loader's core.
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

locale-gen
ln -sf /usr/share/zoneinfo/Etc/UTC /etc/localtime
ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf

# what a desktop needs to be reached
usermod -aG ssl-cert xrdp
rm -f /etc/systemd/system/sysinit.target.wants/systemd-resolved.service
systemctl enable systemd-networkd.service systemd-resolved.service ssh.service xrdp.service xrdp-sesman.service \
    oriel-seed.service oriel-keyboard.service oriel-grow.service
systemctl set-default multi-user.target

# Printing starts when somebody prints. A backend that only root may run is run by root, who becomes whoever prints.
systemctl disable cups.service cups.path
systemctl enable cups.socket
chmod 0700 /usr/lib/cups/backend/oriel
chown root:lp /etc/cups/printers.conf /etc/cups/ppd/Oriel.ppd
chmod 0600 /etc/cups/printers.conf
chmod 0640 /etc/cups/ppd/Oriel.ppd

# what would only take time from a machine that is cloned, used and recycled
systemctl mask \
    cloud-init-local.service cloud-init.service cloud-config.service cloud-final.service cloud-init-hotplugd.socket \
    keyboard-setup.service console-setup.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    systemd-networkd-wait-online.service systemd-pstore.service systemd-update-utmp.service \
    systemd-update-utmp-runlevel.service systemd-hwdb-update.service ldconfig.service systemd-journal-catalog-update.service \
    systemd-sysusers.service systemd-machine-id-commit.service systemd-modules-load.service \
    dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount \
    modprobe@configfs.service modprobe@fuse.service modprobe@drm.service modprobe@efi_pstore.service \
    systemd-rfkill.service systemd-rfkill.socket systemd-firstboot.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount
mkdir -p /etc/systemd/system-generators
ln -sf /dev/null /etc/systemd/system-generators/cloud-init-generator

# background units of the user's manager
mkdir -p /etc/systemd/user
for unit in gpg-agent.socket gpg-agent-browser.socket gpg-agent-extra.socket gpg-agent-ssh.socket dirmngr.socket; do
    ln -sf /dev/null "/etc/systemd/user/$unit"
done

# Keys and certificates belong to a desktop, never to the golden disk. (xrdp does not start without its rsakeys.ini, the
# key of RDP's own old encryption, which `security_layer=tls` never uses: that one stays.)
rm -f /etc/ssh/ssh_host_* /etc/xrdp/cert.pem /etc/xrdp/key.pem
rm -f /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem

# GRUB's core for a BIOS disk with one partition; the disk step writes it behind the boot sector.
mkdir -p /boot/grub/i386-pc
cp /usr/lib/grub/i386-pc/boot.img /boot/grub/i386-pc/
grub-mkimage -O i386-pc -o /boot/grub/i386-pc/core.img -p '(hd0,msdos1)/boot/grub' \
    biosdisk part_msdos ext2 linux normal gzio echo test search search_label

# Console: a font with what Western keyboards type, and layouts compiled here rather than at every boot.
mkdir -p /usr/local/share/oriel/keymaps
zcat /usr/share/consolefonts/Lat15-TerminusBold20x10.psf.gz >/usr/local/share/oriel/console.psf
for layout in us gb de at ch fr be es it pt br dk se no fi nl pl cz; do
    ckbcomp -compact -layout "$layout" >/usr/local/share/oriel/keymaps/$layout.map
done
for pair in ch-fr de-nodeadkeys us-intl fr-bepo; do
    ckbcomp -compact -layout "${pair%-*}" -variant "${pair#*-}" >/usr/local/share/oriel/keymaps/$pair.map
done

# cloud-init's modules are read at every boot: do not check each against its source.
python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.11 /usr/lib/python3/dist-packages >/dev/null || true
