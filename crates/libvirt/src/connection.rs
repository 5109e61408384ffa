//! One connection to libvirt, opened when it is needed and again after libvirt was restarted.
//!
//! libvirt's calls block, so each runs on a thread for blocking work.

use oriel_compute::ComputeError;
use oriel_trace::Instrument as _;
use std::sync::{Arc, Mutex, PoisonError};
use virt::{
    connect::Connect,
    error::{Error, ErrorNumber},
};

/// Who QEMU runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QemuUser {
    pub(super) user: u32,
    pub(super) group: u32,
}

pub(super) struct Connection {
    uri: String,
    open: Arc<Mutex<Option<Arc<Connect>>>>,
}

impl Connection {
    pub(super) fn new(uri: &str) -> Self {
        // Otherwise libvirt prints every error, expected or not, on standard error.
        virt::error::clear_error_callback();
        Self { uri: uri.to_owned(), open: Arc::default() }
    }

    /// Runs `work` with a live connection; when the connection turns out to be dead, once more with a fresh one.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl Fn(&Connect) -> Result<T, ComputeError> + Send + 'static,
    ) -> Result<T, ComputeError> {
        let (uri, open) = (self.uri.clone(), Arc::clone(&self.open));
        let span = oriel_trace::span!("libvirt", otel.kind = "client");
        let calling = tokio::task::spawn_blocking(move || {
            let connect = get(&uri, &open)?;
            match work(&connect) {
                Err(ComputeError::Libvirt { .. }) if !connect.is_alive().unwrap_or(false) => {
                    forget(&open, &connect);
                    work(&*get(&uri, &open)?)
                }
                result => result,
            }
        });
        calling.instrument(span).await?
    }

    /// From libvirt's capabilities; ourselves where it doesn't say, as with `qemu:///session`.
    pub(super) async fn qemu_user(&self) -> Result<QemuUser, ComputeError> {
        let capabilities =
            self.with(|connect| connect.get_capabilities().map_err(failed("say what it can do"))).await?;
        let ours = QemuUser { user: rustix::process::geteuid().as_raw(), group: rustix::process::getegid().as_raw() };
        Ok(if ours.user == 0 { base_label(&capabilities).unwrap_or(ours) } else { ours })
    }
}

fn get(uri: &str, open: &Mutex<Option<Arc<Connect>>>) -> Result<Arc<Connect>, ComputeError> {
    let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(connect) = open.as_ref().filter(|connect| connect.is_alive().unwrap_or(false)) {
        return Ok(Arc::clone(connect));
    }
    let connect = Connect::open(Some(uri))
        .map_err(|error| ComputeError::Unreachable { uri: uri.to_owned(), reason: words(&error) })?;
    let connect = Arc::new(connect);
    *open = Some(Arc::clone(&connect));
    Ok(connect)
}

fn forget(open: &Mutex<Option<Arc<Connect>>>, dead: &Arc<Connect>) {
    let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
    if open.as_ref().is_some_and(|current| Arc::ptr_eq(current, dead)) {
        *open = None;
    }
}

/// `<baselabel type='qemu'>+64055:+64055</baselabel>` under the `dac` model.
fn base_label(capabilities: &str) -> Option<QemuUser> {
    let (_, dac) = capabilities.split_once("<model>dac</model>")?;
    let (_, label) = dac.split_once("<baselabel type='qemu'>")?;
    let (label, _) = label.split_once("</baselabel>")?;
    let (user, group) = label.split_once(':')?;
    let number = |text: &str| text.trim_start_matches('+').parse().ok();
    Some(QemuUser { user: number(user)?, group: number(group)? })
}

/// What libvirt says when a program or a file that a machine needs is not there: its words, what it is, Debian's package.
const LACKING: &[(&str, &str, &str)] = &[
    ("Unable to find any firmware", "UEFI firmware for guests of this kind", "ovmf qemu-efi-aarch64"),
    ("unable to find any master var store", "UEFI firmware for guests of this kind", "ovmf qemu-efi-aarch64"),
    ("3d acceleration is not supported", "QEMU with OpenGL", "qemu-system-modules-opengl"),
    ("Unable to find 'swtpm", "emulated TPM", "swtpm swtpm-tools"),
];

/// Gives libvirt's complaint a sentence.
pub(super) fn failed(action: &str) -> impl FnOnce(Error) -> ComputeError {
    let action = action.to_owned();
    move |error| complaint(action, words(&error))
}

fn complaint(action: String, reason: String) -> ComputeError {
    match LACKING.iter().find(|(words, _, _)| reason.contains(words)) {
        Some((_, what, package)) => {
            tracing::warn!(reason, "Libvirt lacks something");
            ComputeError::Lacking { action, what, package }
        }
        None => ComputeError::Libvirt { action, reason },
    }
}

fn words(error: &Error) -> String {
    oriel_compute::command::short(error.message())
}

pub(super) fn is_gone(error: &Error) -> bool {
    error.code() == ErrorNumber::NoDomain
}

/// It carries no mark of ours.
pub(super) fn has_no_metadata(error: &Error) -> bool {
    error.code() == ErrorNumber::NoDomainMetadata
}

/// What is to go and is gone, or is to be off and is off, is as it should be.
pub(super) fn fine_when_gone(error: Error) -> Result<(), Error> {
    if is_gone(&error) || error.code() == ErrorNumber::OperationInvalid { Ok(()) } else { Err(error) }
}

/// 9000000 is 9.0.0.
pub(super) fn version_text(version: u32) -> String {
    format!("{}.{}.{}", version / 1_000_000, version / 1000 % 1000, version % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_to_install() {
        let error = complaint(
            String::from("define the machine"),
            String::from("operation failed: Unable to find any firmware to satisfy 'efi'"),
        );
        assert_eq!(
            error.to_string(),
            "libvirt could not define the machine: this host has no UEFI firmware for guests of this kind; install it: \
             apt-get install ovmf qemu-efi-aarch64"
        );
    }

    #[test]
    fn reads_who_qemu_runs_as() {
        let xml = "<secmodel><model>none</model></secmodel><secmodel><model>dac</model><doi>0</doi><baselabel type='kvm'>+1:+2</baselabel><baselabel type='qemu'>+64055:+64056</baselabel></secmodel>";
        assert_eq!(base_label(xml), Some(QemuUser { user: 64055, group: 64056 }));
        assert_eq!(base_label(""), None);
        assert_eq!(version_text(9_000_003), "9.0.3");
    }
}
