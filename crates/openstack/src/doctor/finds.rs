//! Of a cloud: how it is reached, and what it has.

use super::{CATALOG, CLOUDS_YAML, CREATE_RULES, gpus, rights, volumes};
use crate::{Client, Cloud, Features, Microversion, OpenStackError, Quotas, Service, Token};
use jiff::Timestamp;
use oriel_model::{Finding, Severity, finding};
use std::sync::Arc;

/// Clocks that differ by more are worth a word: tokens end by the cloud's.
const SKEW_NOTED: i64 = 5;
const SKEW_WARNED: i64 = 60;
/// What each service is for, whether desktops can be without it.
const SERVICES: [(Service, &str, Severity, &str); 5] = [
    (Service::Compute, "endpoint-compute", Severity::Error, "it makes the desktops"),
    (Service::Image, "endpoint-image", Severity::Error, "desktops are made of its images"),
    (Service::Network, "endpoint-network", Severity::Error, "desktops are attached to its networks"),
    (Service::Placement, "endpoint-placement", Severity::Warning, "it knows which GPUs are free"),
    (Service::BlockStorage, "endpoint-volume", Severity::Note, "desktops may have a volume for a disk"),
];

/// Whether others on the way could read the credentials.
pub fn transport(cloud: &Cloud) -> Finding {
    let url = &cloud.auth_url;
    let evidence = [("auth_url", url.to_string())];
    let near = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let say = |severity, words: &str, fix| {
        finding("transport", severity, &cloud.name, &evidence, words.to_owned(), fix, CLOUDS_YAML)
    };
    if url.scheme() == "https" {
        say(Severity::Ok, "Keystone is reached over TLS", "")
    } else if near {
        say(Severity::Note, "Keystone is reached without TLS, on this machine itself", "")
    } else {
        let fix = "write the https:// address of Keystone into auth_url; a certificate of your own goes into cacert";
        say(Severity::Warning, "Keystone is reached without TLS: whoever is in between reads the credentials", fix)
    }
}

/// Signs in; None where that fails, and nothing more can be found.
pub async fn sign_in(findings: &mut Vec<Finding>, client: &Client, subject: &str) -> Option<Arc<Token>> {
    let source = "https://docs.openstack.org/keystone/latest/user/application_credentials.html";
    match client.token().await {
        Ok(token) => {
            findings.push(clock(token.ahead_seconds, subject));
            let Some(project) = &token.project else {
                let words = OpenStackError::NoProject.to_string();
                let fix = "openstack project list   # then project_name: in clouds.yaml";
                findings.push(finding("sign-in", Severity::Error, subject, &[], words, fix, source));
                return None;
            };
            let words = format!(
                "signed in as {} in project {project} ({}); a token is good for {} minutes",
                token.user,
                token.roles.join(", "),
                token.life.as_secs() / 60
            );
            findings.push(finding("sign-in", Severity::Ok, subject, &[], words, "", source));
            Some(token)
        }
        Err(error) => {
            let fix = match error {
                OpenStackError::NotSignedIn { .. } => {
                    "openstack application credential create oriel   # and its id and secret into clouds.yaml"
                }
                OpenStackError::Unreachable { .. } | OpenStackError::Slow { .. } => {
                    "curl -v the address of auth_url from this machine: name, route, firewall, certificate"
                }
                _ => "openstack --os-cloud NAME token issue   # says what Keystone says to its own client",
            };
            let evidence = [("auth_url", client.cloud.auth_url.to_string())];
            findings.push(finding("sign-in", Severity::Error, subject, &evidence, error.to_string(), fix, source));
            None
        }
    }
}

fn clock(ahead: i64, subject: &str) -> Finding {
    let source = "https://docs.openstack.org/install-guide/environment-ntp.html";
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let evidence = [("this machine", Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string())];
    let (severity, words) = match ahead.saturating_abs() {
        0..=SKEW_NOTED => (Severity::Ok, "the cloud's clock is this machine's".to_owned()),
        so if so <= SKEW_WARNED => (Severity::Note, format!("the cloud's clock is {so} s {side} this machine's")),
        so => (
            Severity::Warning,
            format!(
                "the cloud's clock is {so} s {side} this machine's: what one says of a time, the other does not understand"
            ),
        ),
    };
    let fix = "timedatectl set-ntp true   # here; the cloud's controllers need the same";
    finding("clock", severity, subject, &evidence, words, fix, source)
}

/// All about one region.
pub async fn region(findings: &mut Vec<Finding>, client: &Client, token: &Token, subject: &str) {
    let mut there = Vec::new();
    for (service, id, severity, what_for) in SERVICES {
        let (finding, good) = endpoint(client, service, id, severity, what_for, subject).await;
        findings.push(finding);
        if good {
            there.push(service);
        }
    }
    if there.contains(&Service::Compute) {
        let (found, good) = versions(client, subject).await;
        findings.push(found);
        if good {
            let (found, quotas) = quota(client, subject).await;
            findings.push(found);
            let neutron = there.contains(&Service::Network);
            findings.extend(groups(client, quotas, neutron, subject).await);
            let (found, flavors) = flavors(client, subject).await;
            findings.push(found);
            let placement = there.contains(&Service::Placement);
            findings.extend(gpus::gpus(client, &flavors, placement, subject).await);
            findings.push(rights::console(client, token, subject).await);
        }
    }
    if there.contains(&Service::Image) {
        findings.push(images(client, subject).await);
    }
    if there.contains(&Service::Network) {
        findings.push(networks(client, subject).await);
    }
    if there.contains(&Service::BlockStorage) {
        findings.extend(volumes::volumes(client, subject).await);
    }
}

async fn endpoint(
    client: &Client,
    service: Service,
    id: &str,
    severity: Severity,
    what_for: &str,
    subject: &str,
) -> (Finding, bool) {
    let url = match client.url(service).await {
        Ok(url) => url,
        Err(error) => {
            let words = format!("{error}; {what_for}");
            let fix = "openstack catalog list   # another region_name or interface in clouds.yaml may have it";
            return (finding(id, severity, subject, &[], words, fix, CATALOG), false);
        }
    };
    let evidence = [("catalog", url.to_string())];
    match client.root(service).await {
        // Whoever answers at all is there; what it answers is looked at below.
        Ok(answer) if answer.status.as_u16() < 500 => {
            let words = format!("{service} answers: {what_for}");
            (finding(id, Severity::Ok, subject, &evidence, words, "", CATALOG), true)
        }
        Ok(answer) => {
            let words = format!("{service} answers with {}: {what_for}", answer.status);
            let fix = "its log on the cloud's controller says why";
            (finding(id, severity, subject, &evidence, words, fix, CATALOG), false)
        }
        Err(error) => {
            let fix = "make a route from this machine to that address, or choose `interface: internal` in clouds.yaml";
            (finding(id, severity, subject, &evidence, format!("{error}; {what_for}"), fix, CATALOG), false)
        }
    }
}

async fn versions(client: &Client, subject: &str) -> (Finding, bool) {
    let source = "https://docs.openstack.org/nova/latest/reference/api-microversion-history.html";
    let versions = match client.compute_versions().await {
        Ok(versions) => versions,
        Err(error) => {
            let fix = "Oriel needs Nova of Queens (2018) or newer; upgrade the cloud";
            return (finding("microversion", Severity::Error, subject, &[], error.to_string(), fix, source), false);
        }
    };
    let has = Features::of(versions.spoken);
    let lacking: Vec<&str> = [
        (has.hostname, "host names of their own (2.90)"),
        (has.volume_rebuild, "fresh disks for servers on volumes (2.93)"),
    ]
    .iter()
    .filter_map(|(has, what)| (!has).then_some(*what))
    .collect();
    let evidence = [("Nova", format!("{} to {}", versions.min, versions.max))];
    let spoken: Microversion = versions.spoken;
    if lacking.is_empty() {
        let words = format!("Nova {spoken} is spoken: it can all that Oriel asks");
        (finding("microversion", Severity::Ok, subject, &evidence, words, "", source), true)
    } else {
        let words = format!(
            "Nova {spoken} is spoken, which lacks {}: desktops are deleted and made again instead",
            lacking.join(" and ")
        );
        (finding("microversion", Severity::Note, subject, &evidence, words, "", source), true)
    }
}

/// A look that failed, as a finding.
pub fn unseen(id: &str, subject: &str, error: &OpenStackError, source: &str) -> Finding {
    let fix = if error.is_forbidden() {
        "openstack role add --user USER --project PROJECT member"
    } else {
        "the service's log on the cloud's controller says why"
    };
    finding(id, Severity::Error, subject, &[], error.to_string(), fix, source)
}

async fn quota(client: &Client, subject: &str) -> (Finding, Option<Quotas>) {
    let source = "https://docs.openstack.org/nova/latest/admin/quotas.html";
    let quotas = match client.quotas().await {
        Ok(quotas) => quotas,
        Err(error) => return (unseen("quota", subject, &error, source), None),
    };
    let all = [("servers", quotas.servers), ("vCPU", quotas.cpus), ("MiB of memory", quotas.memory_mib)];
    let word = |max: Option<u64>| max.map_or_else(|| "no limit".to_owned(), |max| max.to_string());
    let evidence: Vec<(&str, String)> =
        all.iter().map(|(what, of)| (*what, format!("{} of {}", of.used, word(of.max)))).collect();
    let full: Vec<&str> = all.iter().filter(|(_, of)| of.free() == Some(0)).map(|(what, _)| *what).collect();
    let found = if full.is_empty() {
        let free: Vec<String> = all
            .iter()
            .map(|(what, of)| match of.free() {
                Some(free) => format!("{free} {what}"),
                None => format!("{what} without limit"),
            })
            .collect();
        finding(
            "quota",
            Severity::Ok,
            subject,
            &evidence,
            format!("the project may have {} more", free.join(", ")),
            "",
            source,
        )
    } else {
        let words = format!("the project's quota is used up: no more {}", full.join(", no more "));
        let fix =
            "openstack quota set --instances N --cores N --ram MIB PROJECT   # by the cloud's admin; or delete servers";
        finding("quota", Severity::Warning, subject, &evidence, words, fix, source)
    };
    (found, Some(quotas))
}

/// What keeps desktops closed and apart.
async fn groups(client: &Client, quotas: Option<Quotas>, neutron: bool, subject: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((of, quotas)) = quotas.and_then(|quotas| Some((quotas.server_groups?, quotas))) {
        let source = "https://docs.openstack.org/nova/latest/user/server-groups.html";
        let word = |max: Option<u64>| max.map_or_else(|| "no limit".to_owned(), |max| max.to_string());
        let evidence = [
            ("server groups", format!("{} of {}", of.used, word(of.max))),
            ("servers of one group", word(quotas.server_group_members)),
        ];
        let fix = "openstack quota set --server-groups N --server-group-members N PROJECT   # by the cloud's admin";
        findings.push(if of.free() == Some(0) {
            let words =
                "no more server groups can be made: desktops of further pools stand wherever Nova puts them".to_owned();
            finding("server-groups", Severity::Note, subject, &evidence, words, fix, source)
        } else {
            let words = match quotas.server_group_members {
                Some(most) => {
                    format!("the first {most} desktops of each pool stand apart, where there are hosts for it")
                }
                None => "desktops of a pool stand apart, where there are hosts for it".to_owned(),
            };
            finding("server-groups", Severity::Ok, subject, &evidence, words, "", source)
        });
    }
    if neutron {
        let source = "https://docs.openstack.org/api-ref/network/v2/#security-groups-security-groups";
        findings.push(match client.security_groups_named("oriel").await {
            Ok(_) => {
                let words = "a security group of their own keeps desktops closed".to_owned();
                finding("security-groups", Severity::Ok, subject, &[], words, "", source)
            }
            Err(error) => {
                let words = format!(
                    "desktops are as open as the project's default security group: one of their own cannot be made: {error}"
                );
                finding("security-groups", Severity::Warning, subject, &[], words, CREATE_RULES, source)
            }
        });
    }
    findings
}

async fn images(client: &Client, subject: &str) -> Finding {
    let source = "https://docs.openstack.org/glance/latest/user/index.html";
    let images = match client.images().await {
        Ok(images) => images,
        Err(error) => return unseen("images", subject, &error, source),
    };
    let active: Vec<_> = images.iter().filter(|image| image.status == "active").collect();
    let evidence: Vec<(&str, String)> = active
        .iter()
        .take(20)
        .map(|image| (image.name.as_str(), format!("{}, {} MiB", image.disk_format, image.size_bytes >> 20)))
        .collect();
    if active.is_empty() {
        let words =
            format!("the project has no image that can be used ({} in all): desktops are made of one", images.len());
        let fix = "openstack image create NAME --disk-format qcow2 --file DISK.qcow2";
        return finding("images", Severity::Warning, subject, &[], words, fix, source);
    }
    let plural = if active.len() == 1 { "image" } else { "images" };
    finding(
        "images",
        Severity::Ok,
        subject,
        &evidence,
        format!("{} {plural} to make desktops of", active.len()),
        "",
        source,
    )
}

async fn networks(client: &Client, subject: &str) -> Finding {
    let source = "https://docs.openstack.org/neutron/latest/admin/intro-os-networking.html";
    let networks = match client.networks().await {
        Ok(networks) => networks,
        Err(error) => return unseen("networks", subject, &error, source),
    };
    let usable: Vec<_> = networks
        .iter()
        .filter(|network| {
            !network.external && network.admin_state_up && network.status == "ACTIVE" && !network.subnets.is_empty()
        })
        .collect();
    let evidence: Vec<(&str, String)> = networks
        .iter()
        .take(20)
        .map(|network| {
            let kind = if network.external {
                "external"
            } else if network.shared {
                "shared"
            } else {
                "the project's"
            };
            (network.name.as_str(), format!("{kind}, {}, {} subnets", network.status, network.subnets.len()))
        })
        .collect();
    if usable.is_empty() {
        let words =
            "the project has no network to attach desktops to (one that is up, not external, with a subnet)".to_owned();
        let fix = "openstack network create desktops\nopenstack subnet create desktops --network desktops --subnet-range 10.77.0.0/24";
        return finding("networks", Severity::Error, subject, &evidence, words, fix, source);
    }
    let open: Vec<&str> = usable
        .iter()
        .filter(|network| network.port_security_enabled == Some(false))
        .map(|network| network.name.as_str())
        .collect();
    if open.len() == usable.len() {
        let words = format!(
            "port security is off on {}: desktops there can take each other's addresses, and no security group holds",
            open.join(", ")
        );
        let fix = "openstack network set --enable-port-security NETWORK";
        return finding("networks", Severity::Warning, subject, &evidence, words, fix, source);
    }
    let plural = if usable.len() == 1 { "network" } else { "networks" };
    finding(
        "networks",
        Severity::Ok,
        subject,
        &evidence,
        format!("{} {plural} to attach desktops to", usable.len()),
        "",
        source,
    )
}

async fn flavors(client: &Client, subject: &str) -> (Finding, Vec<crate::Flavor>) {
    let source = "https://docs.openstack.org/nova/latest/user/flavors.html";
    let flavors = match client.flavors().await {
        Ok(flavors) => flavors,
        Err(error) => return (unseen("flavors", subject, &error, source), Vec::new()),
    };
    let evidence: Vec<(&str, String)> = flavors
        .iter()
        .take(20)
        .map(|one| (one.name.as_str(), format!("{} vCPU, {} MiB, {} GiB", one.cpus, one.memory_mib, one.disk_gib)))
        .collect();
    let found = if flavors.is_empty() {
        let words = "the project may use no flavor: a desktop's size is one".to_owned();
        let fix = "openstack flavor create desktop --vcpus 2 --ram 4096 --disk 20   # by the cloud's admin";
        finding("flavors", Severity::Error, subject, &[], words, fix, source)
    } else if flavors.iter().all(|flavor| flavor.disk_gib == 0) {
        let words = "all flavors have a disk of 0 GiB: members may use them only with a volume for a disk".to_owned();
        let fix = "openstack flavor create desktop --vcpus 2 --ram 4096 --disk 20   # by the cloud's admin";
        finding("flavors", Severity::Warning, subject, &evidence, words, fix, source)
    } else {
        let plural = if flavors.len() == 1 { "size" } else { "sizes" };
        finding(
            "flavors",
            Severity::Ok,
            subject,
            &evidence,
            format!("{} {plural} for desktops", flavors.len()),
            "",
            source,
        )
    };
    (found, flavors)
}
