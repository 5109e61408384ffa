//! Reads how far the packages are from what mmdebstrap and apt write. Their words are for people and may change: what is
//! not understood moves nothing.

/// Follows one run of mmdebstrap.
#[derive(Default)]
pub(crate) struct Packages {
    /// Packages that apt said it would fetch and install, in all its runs so far.
    expected: u32,
    fetched: u32,
    unpacked: u32,
    set_up: u32,
    phase: Phase,
}

#[derive(Clone, Copy, Default, PartialEq, PartialOrd)]
enum Phase {
    #[default]
    Lists,
    Essential,
    Install,
    Hooks,
    Archive,
}

impl Packages {
    /// Takes one line of output.
    pub fn line(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("I: ") {
            let phase = match rest {
                _ if rest.starts_with("running apt-get update") => Phase::Lists,
                _ if rest.starts_with("downloading packages")
                    || rest.starts_with("extracting archives")
                    || rest.starts_with("installing essential") =>
                {
                    Phase::Essential
                }
                _ if rest.starts_with("installing remaining packages") => Phase::Install,
                _ if rest.starts_with("running --customize-hook") => Phase::Hooks,
                _ if rest.starts_with("creating tarball") => Phase::Archive,
                _ => return,
            };
            if phase > self.phase {
                self.phase = phase;
            }
        } else if let Some(count) = line.split(" newly installed").next().filter(|head| head.len() < line.len()) {
            let count = count.rsplit(' ').next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
            self.expected = self.expected.max(count);
        } else if self.phase >= Phase::Install {
            match line.split([' ', ':']).next() {
                Some("Get") => self.fetched += 1,
                Some("Unpacking") => self.unpacked += 1,
                Some("Setting") => self.set_up += 1,
                _ => {}
            }
        }
    }

    /// 0.0–1.0 of the whole run.
    pub fn fraction(&self) -> f64 {
        let part = |n: u32| if self.expected == 0 { 0.0 } else { (f64::from(n) / f64::from(self.expected)).min(1.0) };
        match self.phase {
            Phase::Lists => 0.01,
            Phase::Essential => 0.06,
            Phase::Install => 0.1 + 0.2 * part(self.fetched) + 0.3 * part(self.unpacked) + 0.22 * part(self.set_up),
            Phase::Hooks => 0.85,
            Phase::Archive => 0.93,
        }
    }

    /// What is being done, in a few words.
    pub fn step(&self) -> String {
        match self.phase {
            Phase::Lists => "reading the package lists".to_owned(),
            Phase::Essential => "installing the base system".to_owned(),
            Phase::Install if self.set_up > 0 => {
                format!("setting up packages ({} of {})", self.set_up.min(self.expected), self.expected)
            }
            Phase::Install if self.unpacked > 0 => {
                format!("unpacking packages ({} of {})", self.unpacked.min(self.expected), self.expected)
            }
            Phase::Install if self.fetched > 0 => {
                format!("fetching packages ({} of {})", self.fetched.min(self.expected), self.expected)
            }
            Phase::Install => "choosing packages".to_owned(),
            Phase::Hooks => "arranging the desktop".to_owned(),
            Phase::Archive => "packing the root file system".to_owned(),
        }
    }
}

/// `    (12.50/100%)` of `qemu-img … -p`, as 0.0–1.0.
pub(crate) fn qemu_img(line: &str) -> Option<f64> {
    let number = line.trim().strip_prefix('(')?.strip_suffix("/100%)")?;
    number.parse::<f64>().ok().map(|percent| percent / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_forward_and_never_back() {
        let lines = [
            "I: amd64 can be executed without binfmt_misc",
            "I: running apt-get update...",
            "I: downloading packages with apt...",
            "Get:1 http://m.test bookworm/main amd64 gcc-12-base [37 kB]",
            "I: extracting archives...",
            "I: installing essential packages...",
            "Setting up gcc-12-base:amd64 ...",
            "I: installing remaining packages inside the chroot...",
            "0 upgraded, 4 newly installed, 0 to remove and 0 not upgraded.",
            "Get:1 http://m.test a",
            "Get:2 http://m.test b",
            "Unpacking a (1) ...",
            "Unpacking b (1) ...",
            "Setting up a (1) ...",
            "Setting up b (1) ...",
            "I: running --customize-hook in shell",
            "I: creating tarball...",
        ];
        let mut packages = Packages::default();
        let mut last = 0.0;
        for line in lines {
            packages.line(line);
            assert!(packages.fraction() >= last, "{line}");
            last = packages.fraction();
        }
        assert!(last > 0.9);
        assert_eq!(packages.expected, 4);
    }

    #[test]
    fn nonsense_is_nothing() {
        let mut packages = Packages::default();
        for line in [
            "",
            "I: ",
            " newly installed",
            "x newly installed",
            "99999999999999999999 newly installed",
            "Get",
            "(1/100%",
        ] {
            packages.line(line);
            assert_eq!(qemu_img(line), None);
        }
        assert!(packages.fraction() < 0.1);
        assert_eq!(qemu_img("    (12.50/100%)"), Some(0.125));
    }
}
