//! How things are done on this distribution: boot parameters, packages, the initial RAM disk, module options.

use crate::{Sysfs, inventory::Host};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// Debian, Ubuntu and their children.
    Debian,
    /// Proxmox VE started by systemd-boot (`/etc/kernel/cmdline`).
    ProxmoxBoot,
    /// Fedora, RHEL and their like.
    RedHat,
    Suse,
    Arch,
    Alpine,
    NixOs,
    RaspberryPi,
    Unknown,
}

#[derive(Clone, Copy)]
pub(super) struct System<'a> {
    family: Family,
    sysfs: &'a dyn Sysfs,
    pub host: &'a Host,
}

impl<'a> System<'a> {
    pub fn new(sysfs: &'a dyn Sysfs, host: &'a Host) -> Self {
        let family = match host.distribution.id.as_str() {
            "debian" if host.kernel.ends_with("-pve") && sysfs.exists("/etc/kernel/proxmox-boot-uuids") => {
                Family::ProxmoxBoot
            }
            "raspbian" => Family::RaspberryPi,
            _ if sysfs.exists("/boot/firmware/cmdline.txt") || host.kernel.contains("-rpi") => Family::RaspberryPi,
            "debian" | "ubuntu" | "devuan" | "linuxmint" | "pop" => Family::Debian,
            "fedora" | "rhel" | "centos" | "rocky" | "almalinux" | "ol" => Family::RedHat,
            "opensuse-leap" | "opensuse-tumbleweed" | "sles" => Family::Suse,
            "arch" | "manjaro" | "endeavouros" => Family::Arch,
            "alpine" => Family::Alpine,
            "nixos" => Family::NixOs,
            _ => Family::Unknown,
        };
        Self { family, sysfs, host }
    }

    /// Commands that add words to the kernel's command line; it takes a reboot.
    pub fn boot_with(&self, words: &str) -> String {
        let grub = |then: &str| {
            format!("sed -i 's/^GRUB_CMDLINE_LINUX=\"/&{words} /' /etc/default/grub   # adds: {words}\n{then}\nreboot")
        };
        match self.family {
            Family::Debian => grub("update-grub"),
            Family::ProxmoxBoot => {
                format!("sed -i '1s/$/ {words}/' /etc/kernel/cmdline\nproxmox-boot-tool refresh\nreboot")
            }
            Family::RedHat => format!("grubby --update-kernel=ALL --args=\"{words}\"\nreboot"),
            Family::Suse => grub("grub2-mkconfig -o /boot/grub2/grub.cfg"),
            Family::Arch => format!(
                "{}\n# with systemd-boot instead: add it to `options` in /boot/loader/entries/*.conf",
                grub("grub-mkconfig -o /boot/grub/grub.cfg")
            ),
            Family::Alpine => format!(
                "sed -i 's/^default_kernel_opts=\"/&{words} /' /etc/update-extlinux.conf && update-extlinux\nreboot"
            ),
            Family::NixOs => format!(
                "# in configuration.nix:\nboot.kernelParams = [ {} ];\n# then: nixos-rebuild boot && reboot",
                words.split_whitespace().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" ")
            ),
            Family::RaspberryPi => format!("sed -i '1s/$/ {words}/' /boot/firmware/cmdline.txt\nreboot"),
            Family::Unknown => {
                format!("# add to the kernel's command line in your boot loader, then reboot:\n{words}")
            }
        }
    }

    /// Commands that take a word off the kernel's command line.
    pub fn boot_without(&self, word: &str) -> String {
        match self.family {
            Family::Debian => format!("sed -i 's/ *\\b{word}\\b//' /etc/default/grub && update-grub\nreboot"),
            Family::ProxmoxBoot => {
                format!("sed -i 's/ *\\b{word}\\b//' /etc/kernel/cmdline && proxmox-boot-tool refresh\nreboot")
            }
            Family::RedHat => format!("grubby --update-kernel=ALL --remove-args=\"{word}\"\nreboot"),
            Family::Suse => {
                format!(
                    "sed -i 's/ *\\b{word}\\b//' /etc/default/grub && grub2-mkconfig -o /boot/grub2/grub.cfg\nreboot"
                )
            }
            Family::Arch => {
                format!("sed -i 's/ *\\b{word}\\b//' /etc/default/grub && grub-mkconfig -o /boot/grub/grub.cfg\nreboot")
            }
            Family::RaspberryPi => format!("sed -i 's/ *\\b{word}\\b//' /boot/firmware/cmdline.txt\nreboot"),
            Family::Alpine | Family::NixOs | Family::Unknown => {
                format!("# take `{word}` off the kernel's command line in your boot loader, then reboot")
            }
        }
    }

    /// The command that installs packages.
    pub fn install(&self, packages: &str) -> String {
        match self.family {
            Family::Debian | Family::ProxmoxBoot | Family::RaspberryPi => {
                format!("apt-get update && apt-get install {packages}")
            }
            Family::RedHat => format!("dnf install {packages}"),
            Family::Suse => format!("zypper install {packages}"),
            Family::Arch => format!("pacman -S {packages}"),
            Family::Alpine => format!("apk add {packages}"),
            Family::NixOs | Family::Unknown => format!("# install: {packages}"),
        }
    }

    /// One of: Debian's, Fedora's, Arch's, openSUSE's package names.
    pub fn packages(&self, debian: &str, red_hat: &str, arch: &str, suse: &str) -> String {
        self.install(match self.family {
            Family::RedHat => red_hat,
            Family::Arch => arch,
            Family::Suse => suse,
            _ => debian,
        })
    }

    /// The command that builds the initial RAM disk anew: drivers in it see only the files in it.
    pub fn initial_disk(&self) -> &'static str {
        match self.family {
            Family::RedHat | Family::Suse => "dracut --force --regenerate-all",
            Family::Arch => "mkinitcpio -P",
            Family::Alpine => "mkinitfs",
            Family::NixOs => "nixos-rebuild boot",
            Family::ProxmoxBoot => "update-initramfs -u -k all && proxmox-boot-tool refresh",
            Family::Debian | Family::RaspberryPi | Family::Unknown => "update-initramfs -u -k all",
        }
    }

    /// A module's options from the next load on.
    pub fn module_options(&self, file: &str, options: &str) -> String {
        if self.family == Family::NixOs {
            return format!("# in configuration.nix: boot.extraModprobeConfig = \"options {options}\";");
        }
        format!("echo 'options {options}' > /etc/modprobe.d/{file}.conf")
    }

    /// Debian keeps firmware that is not free in a part of its own: the lines that add it, where it is missing.
    pub fn firmware_source(&self) -> Option<String> {
        if self.host.distribution.id != "debian"
            || self.family == Family::ProxmoxBoot
            || self.host.kernel.ends_with("-pve")
        {
            return None;
        }
        let major = self.host.distribution.version.parse::<u32>().unwrap_or(u32::MAX);
        let part = if major < 12 { "non-free" } else { "non-free-firmware" };
        let mut sheets = Vec::new();
        for folder in ["/etc/apt/sources.list.d"] {
            for name in self.sysfs.list(folder).unwrap_or_default() {
                sheets.push(format!("{folder}/{name}"));
            }
        }
        sheets.push("/etc/apt/sources.list".to_owned());
        let mut of_debian = None;
        for path in sheets {
            let Some(text) = self.sysfs.text(&path) else { continue };
            let lines = || text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
            if lines().any(|line| line.split_whitespace().any(|word| word == part)) {
                return None;
            }
            if lines().any(|line| line.contains("debian.org/debian") || line.contains("/debian ")) {
                of_debian.get_or_insert(path);
            }
        }
        Some(match of_debian {
            Some(path) if path.ends_with(".sources") => {
                format!("sed -i '/^Components:/s/$/ {part}/' {path}   # Debian keeps such firmware apart, in `{part}`")
            }
            Some(path) => {
                format!("sed -i '/^deb /s/ main\\b/& {part}/' {path}   # Debian keeps such firmware apart, in `{part}`")
            }
            None => format!("# add `{part}` behind `main` in /etc/apt/sources.list or sources.list.d/debian.sources"),
        })
    }
}
