//! The files from which cloud-init's NoCloud data source sets a guest up
//! (<https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html>).
//!
//! It asks for little, because under software emulation every module of cloud-init costs a good part of a second; which ones
//! run, and when, is the image's affair. User data is JSON, which is YAML, so that nothing is ever escaped by hand.

use crate::{
    GuestIdentity, IdentityError, MachineSpec,
    domain::{mac_address, world_mac_address},
};
use rand::RngCore;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha_crypt::{PasswordHasher, ShaCrypt};

/// Where the guest's xrdp looks for its certificate.
pub const RDP_CERTIFICATE_PATH: &str = "/etc/xrdp/cert.pem";
/// Where the guest's xrdp looks for its key.
pub const RDP_KEY_PATH: &str = "/etc/xrdp/key.pem";
/// Holds the name of the account, for services of the image that need to know it.
pub const USER_PATH: &str = "/etc/oriel/user";
/// The file of the seed that a cloud hands to its machines, too.
pub const USER_DATA: &str = "user-data";
/// What a password's hash is salted with, in bytes; SHA-crypt takes at most 16 characters.
const SALT_BYTES: usize = 12;
/// What the guest does with a personal disk; the account's name and its key are its arguments.
const MOUNT_HOME: &str = include_str!("mount-home.sh");

/// One file of the seed; its content holds secrets.
#[derive(Clone)]
pub struct SeedFile {
    pub name: &'static str,
    pub content: SecretString,
}

/// The three files of a seed volume labelled `CIDATA`.
pub fn seed(spec: &MachineSpec, identity: &GuestIdentity) -> Result<Vec<SeedFile>, IdentityError> {
    // A new instance id makes cloud-init run again, as after a recycling.
    let meta_data = json!({
        "instance-id": format!("{}-{}", spec.desktop, spec.generation),
        "local-hostname": spec.name.as_str(),
    });
    let card = |mac: String| json!({ "match": { "macaddress": mac }, "dhcp4": true, "dhcp6": false, "optional": true });
    let network_config = json!({
        "version": 2,
        "ethernets": { "doors": card(mac_address(spec.desktop)), "world": card(world_mac_address(spec.desktop)) },
    });
    Ok(vec![
        SeedFile { name: "meta-data", content: meta_data.to_string().into() },
        SeedFile { name: USER_DATA, content: format!("#cloud-config\n{}\n", user_data(spec, identity)?).into() },
        SeedFile { name: "network-config", content: network_config.to_string().into() },
    ])
}

fn user_data(spec: &MachineSpec, identity: &GuestIdentity) -> Result<Value, IdentityError> {
    let keyboard = format!(
        "XKBMODEL=\"pc105\"\nXKBLAYOUT=\"{}\"\nXKBVARIANT=\"{}\"\nXKBOPTIONS=\"\"\nBACKSPACE=\"guess\"\n",
        spec.keyboard.layout, spec.keyboard.variant
    );
    let file = |path: &str, owner: &str, permissions: &str, content: &str| json!({ "path": path, "owner": owner, "permissions": permissions, "content": content });
    let mut data = json!({
        "hostname": spec.name.as_str(),
        "manage_etc_hosts": "localhost",
        "users": [{
            "name": identity.user,
            "gecos": identity.user,
            "shell": "/bin/bash",
            "groups": ["sudo", "audio", "video", "plugdev", "netdev", "dialout", "cdrom"],
            "sudo": "ALL=(ALL) NOPASSWD:ALL",
            "lock_passwd": false,
            "passwd": hash_of(&identity.password)?,
            "ssh_authorized_keys": [identity.client_public],
        }],
        "disable_root": true,
        "ssh_pwauth": false,
        "ssh_deletekeys": true,
        "ssh_keys": {
            "ed25519_private": identity.ssh_host_key.expose_secret(),
            "ed25519_public": identity.ssh_host_public,
        },
        "write_files": [
            file("/etc/default/keyboard", "root:root", "0644", &keyboard),
            file(USER_PATH, "root:root", "0644", &format!("{}\n", identity.user)),
            file(RDP_CERTIFICATE_PATH, "root:root", "0644", &identity.rdp_certificate),
            // Last: an imported image without xrdp has no such group, and nothing after a failed file is written.
            file(RDP_KEY_PATH, "root:xrdp", "0640", identity.rdp_key.expose_secret()),
        ],
    });
    if let (Some(_), Value::Object(data)) = (&spec.home, &mut data) {
        let mount = json!([["sh", "-c", MOUNT_HOME, "mount-home", identity.user, identity.client_public]]);
        // At every start, before the account is looked for; then, the first time, when it is there.
        data.insert("bootcmd".to_owned(), mount.clone());
        data.insert("runcmd".to_owned(), mount);
    }
    Ok(data)
}

/// As `/etc/shadow` has it.
pub(crate) fn hash_of(password: &SecretString) -> Result<String, IdentityError> {
    let mut salt = [0; SALT_BYTES];
    rand::rng().fill_bytes(&mut salt);
    ShaCrypt::SHA512
        .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
        .map(|hash| hash.as_str().to_owned())
        .map_err(|error| IdentityError::Hash(error.to_string()))
}
