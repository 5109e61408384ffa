//! What the doctor says about libvirt.

use crate::{
    connection::{Connection, failed, version_text},
    disk::check_enterable,
    network::usable,
};
use oriel_model::{Finding, Severity, finding};
use std::path::Path;

const SOURCE: &str = "https://libvirt.org/uri.html";
/// libvirt's own default network, for pools with the network `nat`.
const NETWORK: &str = "default";

/// Whether libvirt answers at `uri`, whether its QEMU may enter `data`, and whether its default network runs.
pub async fn findings(uri: &str, data: &Path) -> Vec<Finding> {
    let connection = Connection::new(uri);
    let answer = connection
        .with(|connect| {
            let library = connect.get_lib_version().map_err(failed("say its version"))?;
            let network =
                virt::network::Network::lookup_by_name(connect, NETWORK).and_then(|network| network.is_active());
            Ok((library, connect.get_hyp_version().ok(), network.ok()))
        })
        .await;
    let (library, hypervisor, network) = match answer {
        Ok(answer) => answer,
        Err(error) => {
            return vec![finding(
                "libvirt",
                Severity::Error,
                uri,
                &[(uri, error.to_string())],
                String::from("libvirt does not answer, so no desktop can run"),
                "apt-get install libvirt-daemon-system && systemctl enable --now libvirtd   # without systemd: virtlogd -d; libvirtd -d",
                SOURCE,
            )];
        }
    };
    let evidence = format!(
        "libvirt {}, QEMU {}",
        version_text(library),
        hypervisor.map_or_else(|| String::from("unknown"), version_text)
    );
    let mut all =
        vec![finding("libvirt", Severity::Ok, uri, &[(uri, evidence)], String::from("libvirt answers"), "", SOURCE)];
    all.push(match network {
        Some(true) => finding(
            "libvirt-network",
            Severity::Ok,
            NETWORK,
            &[],
            String::from("libvirt's NAT network runs"),
            "",
            SOURCE,
        ),
        _ => finding(
            "libvirt-network",
            Severity::Note,
            NETWORK,
            &[(NETWORK, String::from(if network.is_none() { "not defined" } else { "not running" }))],
            String::from("libvirt's NAT network does not run; only pools with the network \"nat\" need it"),
            "virsh -c qemu:///system net-autostart default && virsh -c qemu:///system net-start default",
            "https://wiki.libvirt.org/VirtualNetworking.html",
        ),
    });
    if let Ok(user) = connection.qemu_user().await {
        let network = usable(user).await;
        all.push(finding(
            "user-network",
            if network.is_ok() { Severity::Ok } else { Severity::Warning },
            "pasta",
            &[("pasta", network.clone().err().unwrap_or_else(|| String::from("a namespace can be made")))],
            String::from(match network {
                Ok(()) => "desktops on the network \"user\" reach the world, but neither this machine's loopback nor each other",
                Err(_) => "desktops on the network \"user\" can be opened, but reach nothing outside, not even the internet",
            }),
            "apt-get install passt\n\
             # where these settings exist, and are not so already (Debian before 11; Ubuntu since 23.10):\n\
             sysctl -w kernel.unprivileged_userns_clone=1\n\
             sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
            "https://passt.top/passt/about/#pasta",
        ));
        let subject = data.display().to_string();
        all.push(match check_enterable(data, user) {
            Ok(()) => finding(
                "data-folder",
                Severity::Ok,
                &subject,
                &[],
                String::from("QEMU's user may enter the data folder"),
                "",
                SOURCE,
            ),
            Err(error) => finding(
                "data-folder",
                Severity::Error,
                &subject,
                &[("qemu", format!("runs as user {} and group {}", user.user, user.group))],
                error.to_string(),
                "oriel serve --data /var/lib/oriel",
                "https://libvirt.org/drvqemu.html#posix-users-groups",
            ),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_answer_has_a_fix() {
        let data = tempfile::tempdir().unwrap();
        let found = findings("qemu:///nowhere-such", data.path()).await;
        assert!(found.iter().any(|finding| finding.id == "libvirt"), "{found:?}");
        for finding in found {
            assert_eq!(finding.fix.is_empty(), finding.severity == Severity::Ok, "{finding:?}");
            assert!(!finding.reason.is_empty() && finding.source.starts_with("https://"), "{finding:?}");
        }
    }
}
