//! The seed is what cloud-init expects, and carries the identity whole.

#![allow(clippy::unwrap_used, reason = "a test")]

use oriel_machine::{Arch, Boot, GuestIdentity, HOME_SERIAL, Hardware, HomeDisk, MachineSpec, USER_DATA, seed};
use oriel_model::{AcceleratorKind, DesktopId, ImageOs, Network};
use secrecy::ExposeSecret;

fn spec() -> MachineSpec {
    MachineSpec {
        desktop: DesktopId::new(),
        generation: 2,
        name: "studio-1".parse().unwrap(),
        title: String::new(),
        os: ImageOs::Linux,
        arch: Arch::X86_64,
        boot: Boot::Disk,
        vcpus: 1,
        memory_mib: 512,
        disk_gib: 10,
        accelerator: AcceleratorKind::Tcg,
        network: Network::User,
        port_base: None,
        keyboard: "de(nodeadkeys)".parse().unwrap(),
        gpus: Vec::new(),
        hardware: Hardware::default(),
        cloud: None,
        home: None,
    }
}

#[test]
fn carries_the_identity() {
    let spec = spec();
    let identity = GuestIdentity::generate(&spec.name, Some("alice")).unwrap();
    let files = seed(&spec, &identity).unwrap();
    assert_eq!(files.iter().map(|file| file.name).collect::<Vec<_>>(), ["meta-data", "user-data", "network-config"]);
    let content = |name: &str| files.iter().find(|file| file.name == name).unwrap().content.expose_secret().to_owned();
    let user_data = content("user-data");
    let json: serde_json::Value = serde_json::from_str(user_data.strip_prefix("#cloud-config\n").unwrap()).unwrap();
    let user = &json["users"][0];
    assert_eq!(user["name"], "alice");
    assert_eq!(user["ssh_authorized_keys"][0], identity.client_public);
    assert_eq!(json["ssh_keys"]["ed25519_private"], identity.ssh_host_key.expose_secret());
    let hash = user["passwd"].as_str().unwrap();
    assert!(hash.starts_with("$6$"), "{hash}");
    assert!(!user_data.contains(identity.password.expose_secret()), "the password itself is in the seed");
    let files = json["write_files"].as_array().unwrap();
    let file = |path: &str| files.iter().find(|file| file["path"] == path).unwrap();
    assert!(
        file("/etc/default/keyboard")["content"]
            .as_str()
            .unwrap()
            .contains("XKBLAYOUT=\"de\"\nXKBVARIANT=\"nodeadkeys\"\n")
    );
    assert_eq!(file("/etc/xrdp/key.pem")["permissions"], "0640");
    assert_eq!(file("/etc/xrdp/cert.pem")["content"], identity.rdp_certificate);
    assert!(json.get("bootcmd").is_none() && json.get("runcmd").is_none(), "{user_data}");
    assert!(content("meta-data").contains(&format!("{}-2", spec.desktop)));
}

#[test]
fn a_personal_disk_is_mounted_at_every_start_before_the_account_is_made() {
    let spec = MachineSpec { home: Some(HomeDisk::default()), ..spec() };
    let identity = GuestIdentity::generate(&spec.name, Some("alice")).unwrap();
    let files = seed(&spec, &identity).unwrap();
    let user_data = files.iter().find(|file| file.name == USER_DATA).unwrap().content.expose_secret().to_owned();
    let json: serde_json::Value = serde_json::from_str(user_data.strip_prefix("#cloud-config\n").unwrap()).unwrap();
    for when in ["bootcmd", "runcmd"] {
        let command = &json[when][0];
        assert_eq!((&command[0], &command[1]), (&"sh".into(), &"-c".into()));
        assert_eq!((&command[4], &command[5]), (&"alice".into(), &identity.client_public.as_str().into()));
        let script = command[2].as_str().unwrap();
        assert!(script.contains(HOME_SERIAL), "{script}");
        // What a shell cannot read would leave people with an empty home.
        let read = std::process::Command::new("sh").args(["-n", "-c", script]).output().unwrap();
        assert!(read.status.success(), "{read:?}");
    }
    // Keys of desktops of before are known by it.
    assert!(identity.client_public.ends_with(" oriel"), "{}", identity.client_public);
}
