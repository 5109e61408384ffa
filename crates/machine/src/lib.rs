//! A desktop described as a virtual machine. No I/O and no clock: a [`MachineSpec`] goes in, libvirt's domain XML
//! ([`domain_xml`]) and cloud-init's seed files ([`seed`]) come out.
//!
//! What a guest is born with (account, password, SSH host key, RDP certificate) is a [`GuestIdentity`], made once per
//! generation, so that the gateway knows and pins whom it talks to before the guest has booted for the first time.

mod domain;
mod identity;
mod keyboard;
mod seed;
mod spec;
mod xml;

pub use domain::{METADATA_NAMESPACE, Marker, domain_xml, mac_address, marker_of};
pub use identity::{GuestIdentity, IdentityError};
pub use keyboard::{Keyboard, KeyboardError};
pub use seed::{RDP_CERTIFICATE_PATH, RDP_KEY_PATH, SeedFile, USER_PATH, seed};
pub use spec::{Arch, Boot, MachineSpec, Places, domain_name};
pub use xml::XmlError;
