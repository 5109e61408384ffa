//! The gadget as a plan of what is made below configfs, and what is taken away there. Everything is done against a folder.

use super::descriptor;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// One thing to do; paths are relative to the gadget's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Folder(String),
    Write(String, Vec<u8>),
    /// Where the kernel has such a file: some have come later, or by a board's own kernel.
    WriteIf(String, Vec<u8>),
    /// The configuration gets this function.
    Link(String, String),
}

/// What the gadget says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub manufacturer: String,
    pub product: String,
    pub serial: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self { manufacturer: "Oriel".to_owned(), product: "Oriel node".to_owned(), serial: "0".to_owned() }
    }
}

/// Of mass storage: its one drive.
pub const LUN: &str = "functions/mass_storage.usb0/lun.0";
const CONFIG: &str = "configs/c.1";
/// US English, which every system asks for.
const STRINGS: &str = "strings/0x409";
/// A composite gadget of the Linux Foundation.
const VENDOR: &str = "0x1d6b";
const PRODUCT: &str = "0x0104";

/// Keyboard, mouse with positions, mouse with steps: the function's folder, subclass, protocol, the report's length, the descriptor.
pub const HIDS: [(&str, u8, u8, u8, &[u8]); 3] = [
    // A keyboard and a mouse that a BIOS understands.
    ("hid.usb0", 1, 1, 8, &descriptor::KEYBOARD),
    ("hid.usb1", 0, 0, 7, &descriptor::ABSOLUTE),
    ("hid.usb2", 1, 2, 5, &descriptor::RELATIVE),
];

/// Everything up to the moment when it is bound to a port.
pub fn make(identity: &Identity, drive: bool) -> Vec<Step> {
    let folder = |path: &str| Step::Folder(path.to_owned());
    let write = |path: String, text: &str| Step::Write(path, text.as_bytes().to_vec());
    let write_if = |path: String, text: &str| Step::WriteIf(path, text.as_bytes().to_vec());
    let mut steps = vec![
        write("idVendor".to_owned(), VENDOR),
        write("idProduct".to_owned(), PRODUCT),
        write("bcdUSB".to_owned(), "0x0200"),
        write("bcdDevice".to_owned(), "0x0100"),
        folder(STRINGS),
        write(format!("{STRINGS}/manufacturer"), &identity.manufacturer),
        write(format!("{STRINGS}/product"), &identity.product),
        write(format!("{STRINGS}/serialnumber"), &identity.serial),
        folder(CONFIG),
        folder(&format!("{CONFIG}/{STRINGS}")),
        write(format!("{CONFIG}/{STRINGS}/configuration"), "Oriel"),
        write(format!("{CONFIG}/MaxPower"), "250"),
        // From the bus, and able to wake the machine.
        write(format!("{CONFIG}/bmAttributes"), "0xa0"),
    ];
    for (name, subclass, protocol, length, report) in HIDS {
        let at = |file: &str| format!("functions/{name}/{file}");
        steps.extend([
            folder(&format!("functions/{name}")),
            // Lights come over the control endpoint then: boards have few others.
            write_if(at("no_out_endpoint"), "1"),
            write_if(at("wakeup_on_write"), "1"),
            write(at("subclass"), &subclass.to_string()),
            write(at("protocol"), &protocol.to_string()),
            write(at("report_length"), &length.to_string()),
            Step::Write(at("report_desc"), report.to_vec()),
            Step::Link(format!("functions/{name}"), format!("{CONFIG}/{name}")),
        ]);
    }
    if drive {
        let function = "functions/mass_storage.usb0";
        steps.extend([
            folder(function),
            // Not every controller can stall an endpoint; nobody needs it.
            write_if(format!("{function}/stall"), "0"),
            write_if(format!("{LUN}/removable"), "1"),
            write_if(format!("{LUN}/cdrom"), "1"),
            write_if(format!("{LUN}/ro"), "1"),
            write_if(format!("{LUN}/nofua"), "0"),
            // Eight letters of a vendor, sixteen of a product (SPC-4, 6.6.2).
            write_if(format!("{LUN}/inquiry_string"), "Oriel   Drive           "),
            Step::Link(function.to_owned(), format!("{CONFIG}/mass_storage.usb0")),
        ]);
    }
    steps
}

/// Writes with one call, as the kernel's files want it.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    let written = file.write(bytes)?;
    if written == bytes.len() { Ok(()) } else { Err(io::Error::other("it was not taken whole")) }
}

/// What could not be done, and where.
#[derive(Debug, thiserror::Error)]
#[error("{what} {}: {source}", .path.display())]
pub struct Undone {
    pub what: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

impl Step {
    /// Does it below `folder`.
    pub fn run(&self, folder: &Path) -> Result<(), Undone> {
        let failed = |what, path: PathBuf| move |source| Undone { what, path, source };
        match self {
            Self::Folder(path) => {
                let path = folder.join(path);
                match fs::create_dir(&path) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    made => made.map_err(failed("cannot make", path)),
                }
            }
            Self::Write(path, bytes) | Self::WriteIf(path, bytes) => {
                let path = folder.join(path);
                if matches!(self, Self::WriteIf(..)) && !path.exists() {
                    return Ok(());
                }
                put(&path, bytes).map_err(failed("cannot write", path))
            }
            Self::Link(from, to) => {
                // configfs resolves it where it stands: it is to be named from the root.
                let (from, to) = (folder.join(from), folder.join(to));
                symlink(from, &to).map_err(failed("cannot link", to))
            }
        }
    }
}

/// What is in a folder, in the order of names; nothing where there is none.
fn names(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    all.sort();
    all
}

fn remove_folder(path: &Path) -> Result<(), Undone> {
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| Undone { what: "cannot remove", path: path.to_owned(), source }),
    }
}

/// Takes a gadget away, whole or half made: of a program that was killed, or our own. Nothing is done where there is none.
///
/// # Errors
/// Something is held by somebody else.
pub fn remove(folder: &Path) -> Result<(), Undone> {
    if !folder.exists() {
        return Ok(());
    }
    let port = folder.join("UDC");
    if fs::read_to_string(&port).is_ok_and(|bound| !bound.trim().is_empty()) {
        put(&port, b"\n").map_err(|source| Undone { what: "cannot let go the port by", path: port, source })?;
    }
    for config in names(&folder.join("configs")) {
        for entry in names(&config) {
            if entry.is_symlink() {
                let removed = fs::remove_file(&entry);
                removed.map_err(|source| Undone { what: "cannot unlink", path: entry, source })?;
            }
        }
        for strings in names(&config.join("strings")) {
            remove_folder(&strings)?;
        }
        remove_folder(&config)?;
    }
    for function in names(&folder.join("functions")) {
        remove_folder(&function)?;
    }
    for strings in names(&folder.join("strings")) {
        remove_folder(&strings)?;
    }
    remove_folder(folder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    /// configfs makes a folder's files with it.
    fn kernel(folder: &Path, step: &Step) {
        let Step::Write(path, _) = step else { return };
        fs::write(folder.join(path), b"").unwrap();
    }

    fn made(folder: &Path, drive: bool) {
        fs::create_dir_all(folder).unwrap();
        for name in ["configs", "functions", "strings"] {
            fs::create_dir(folder.join(name)).unwrap();
        }
        fs::create_dir(folder.join("configs/c.1")).unwrap();
        fs::create_dir(folder.join("configs/c.1/strings")).unwrap();
        for step in make(&Identity::default(), drive) {
            kernel(folder, &step);
            step.run(folder).unwrap();
            if step == Step::Folder("functions/mass_storage.usb0".to_owned()) {
                fs::create_dir(folder.join(LUN)).unwrap();
                fs::write(folder.join(LUN).join("cdrom"), b"0").unwrap();
            }
        }
    }

    #[test]
    fn a_gadget_is_a_keyboard_two_mice_and_a_drive() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("oriel");
        made(&folder, true);
        let read = |path: &str| fs::read(folder.join(path)).unwrap();
        assert_eq!(read("idVendor"), b"0x1d6b");
        assert_eq!(read("configs/c.1/bmAttributes"), b"0xa0");
        assert_eq!(read("functions/hid.usb0/report_desc"), descriptor::KEYBOARD);
        assert_eq!(
            (read("functions/hid.usb1/report_length"), read("functions/hid.usb2/protocol")),
            (b"7".to_vec(), b"2".to_vec())
        );
        // Only where the kernel has the file.
        assert_eq!(read("functions/mass_storage.usb0/lun.0/cdrom"), b"1");
        assert!(!folder.join("functions/hid.usb0/wakeup_on_write").exists());
        for name in ["hid.usb0", "hid.usb1", "hid.usb2", "mass_storage.usb0"] {
            let link = fs::read_link(folder.join("configs/c.1").join(name)).unwrap();
            assert_eq!(link, folder.join("functions").join(name));
        }
        assert!(!make(&Identity::default(), false).iter().any(|step| format!("{step:?}").contains("mass_storage")));
    }

    #[test]
    fn a_kernel_without_a_function_is_named() {
        let place = tempfile::tempdir().unwrap();
        let step = Step::Folder("functions/hid.usb0".to_owned());
        let undone = step.run(place.path()).unwrap_err();
        assert!(undone.to_string().contains("functions/hid.usb0"), "{undone}");
    }

    #[test]
    fn what_was_left_is_taken_away() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("oriel");
        remove(&folder).unwrap();
        // Folders and links only: the kernel's files go with their folders.
        for path in ["configs/c.1/strings/0x409", "functions/hid.usb0", "strings/0x409"] {
            fs::create_dir_all(folder.join(path)).unwrap();
        }
        symlink(folder.join("functions/hid.usb0"), folder.join("configs/c.1/hid.usb0")).unwrap();
        // configfs lets its own folders go with the one around them.
        let undone = remove(&folder).unwrap_err();
        assert!(undone.to_string().contains("configs/c.1"), "{undone}");
        assert!(!folder.join("configs/c.1/hid.usb0").is_symlink());
        assert!(!folder.join("configs/c.1/strings/0x409").exists());
    }
}
