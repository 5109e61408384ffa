//! The seed is what cloud-init expects, and carries the identity whole.

use oriel_machine::{Arch, Boot, GuestIdentity, Hardware, MachineSpec, seed};
use oriel_model::{AcceleratorKind, DesktopId, ImageOs, Network};
use secrecy::ExposeSecret;

#[test]
fn carries_the_identity() {
    let spec = MachineSpec {
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
    };
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
    assert!(content("meta-data").contains(&format!("{}-2", spec.desktop)));
}
