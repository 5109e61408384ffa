//! A desktop described as a virtual machine. No I/O and no clock: a [`MachineSpec`] goes in, libvirt's domain XML
//! ([`domain_xml`]) and cloud-init's seed files ([`seed`]) come out.
//!
//! What a GPU, a guest or a host asks of the machine beyond that is a list with reasons and sources: [`QUIRKS`].
//!
//! What a guest is born with (account, password, SSH host key, RDP certificate) is a [`GuestIdentity`], made once per
//! generation, so that the gateway knows and pins whom it talks to before the guest has booted for the first time.

mod account;
mod domain;
mod hardware;
mod identity;
mod keyboard;
mod layouts;
mod quirks;
mod seed;
mod spec;
mod xml;

pub use account::{AccountAnswer, AccountOrder, account_command, host_account_name, one_stay_password};
pub use domain::{CdDrive, HOME_SERIAL, HomeDrive, METADATA_NAMESPACE, Marker, domain_xml, mac_address, marker_of};
pub use hardware::{
    Card, MdevDisplay, Node, Surroundings, WINDOW_MIB_DEFAULT, WINDOW_MIB_MAX, mdev_display, window_mib,
};
pub use identity::{GuestIdentity, IdentityError};
pub use keyboard::{Keyboard, KeyboardError};
pub use oriel_model::{Console, Firmware, Hardware, Igd, Numa};
pub use quirks::{Part, QUIRKS, Quirk, quirks};
pub use seed::{RDP_CERTIFICATE_PATH, RDP_KEY_PATH, SeedFile, USER_DATA, USER_PATH, seed};
pub use spec::{Arch, Boot, CloudParts, HomeDisk, MachineSpec, Places, domain_name};
pub use xml::XmlError;
