//! Of a cloud: its volumes, and those that desktops have left behind.

use super::CREATE_RULES;
use crate::{Client, Microversion, OpenStackError, Use};
use oriel_model::{Finding, Severity, finding};

const SOURCE: &str = "https://docs.openstack.org/nova/latest/user/block-device-mapping.html";
/// What Oriel's images say of themselves, and so do volumes that were made of them.
const OURS: &str = "oriel_sha256";
/// In the metadata of a volume that is there to be cloned: that nothing uses it is as it should be.
const GOLDEN: &str = "oriel-of";
/// Since then Nova can have an image written over a volume.
const REIMAGE: Microversion = Microversion(3, 68);
const EVIDENCE_MAX: usize = 20;

pub async fn volumes(client: &Client, subject: &str) -> Vec<Finding> {
    let quotas = match client.volume_quotas().await {
        Ok(quotas) => quotas,
        Err(error) => return vec![unseen(subject, &error)],
    };
    let all = [("volumes", quotas.volumes), ("GiB of volumes", quotas.gib), ("snapshots", quotas.snapshots)];
    let word = |max: Option<u64>| max.map_or_else(|| "no limit".to_owned(), |max| max.to_string());
    let mut evidence: Vec<(&str, String)> =
        all.iter().map(|(what, of)| (*what, format!("{} of {}", of.used, word(of.max)))).collect();
    // Only for people to choose from.
    if let Ok(types) = client.volume_types().await {
        evidence.push(("types", types.into_iter().take(EVIDENCE_MAX).collect::<Vec<_>>().join(", ")));
    }
    let how = clones(client).await;
    evidence.push(("clones", how.to_owned()));
    evidence.push(("fresh disks", refresh(client).await));
    // Without a snapshot a volume is made of the image.
    let is_full = |(what, of): &&(&str, Use)| *what != "snapshots" && of.free() == Some(0);
    let full: Vec<&str> = all.iter().filter(is_full).map(|(what, _)| *what).collect();
    let mut findings = vec![if full.is_empty() {
        let words = format!("desktops may have a volume for a disk, made {how}");
        finding("volumes", Severity::Ok, subject, &evidence, words, "", SOURCE)
    } else {
        let words = format!("the project's quota is used up: no more {}", full.join(", no more "));
        let fix = "openstack quota set --volumes N --gigabytes N PROJECT   # by the cloud's admin; or delete volumes";
        finding("volumes", Severity::Warning, subject, &evidence, words, fix, SOURCE)
    }];
    findings.extend(left(client, subject).await);
    findings
}

/// Whether a store makes snapshots is known only when it has made one.
async fn clones(client: &Client) -> &'static str {
    match client.volume_snapshots(None).await {
        Ok(_) => "of a snapshot of their image where its store makes snapshots",
        Err(_) => "of their image: these credentials see no snapshots",
    }
}

async fn refresh(client: &Client) -> String {
    let nova = client.features().await.is_ok_and(|has| has.volume_rebuild);
    match client.volume_version().await {
        Ok(has) if nova && has >= REIMAGE => format!("in place (Cinder {has})"),
        Ok(has) => format!("with a new server (Cinder {has}; in place since Nova 2.93 and Cinder {REIMAGE})"),
        Err(_) => "with a new server, where Cinder does not say that it can more".to_owned(),
    }
}

/// Volumes of Oriel's images that no server has: Nova deletes them with their servers, unless Cinder did not answer just then. They
/// are named and not deleted: somebody may have made one by hand.
async fn left(client: &Client, subject: &str) -> Option<Finding> {
    let mut unused = match client.unused_volumes().await {
        Ok(unused) => unused,
        Err(error) => return Some(unseen(subject, &error)),
    };
    unused.retain(|one| one.image.contains_key(OURS) && !one.metadata.contains_key(GOLDEN));
    if unused.is_empty() {
        return None;
    }
    let evidence: Vec<(&str, String)> =
        unused.iter().take(EVIDENCE_MAX).map(|one| ("volume", format!("{} ({} GiB)", one.id, one.gib))).collect();
    let gib: u64 = unused.iter().fold(0, |sum, one| sum.saturating_add(one.gib));
    let words = format!(
        "{} volumes ({gib} GiB) that were made of images of Oriel's belong to no server: a desktop may have left them as it went",
        unused.len()
    );
    let fix = "openstack volume show ID   # and, when nobody wants it: openstack volume delete ID";
    Some(finding("volumes-left", Severity::Warning, subject, &evidence, words, fix, SOURCE))
}

fn unseen(subject: &str, error: &OpenStackError) -> Finding {
    let words = format!("volumes cannot be looked at: {error}");
    finding("volumes", Severity::Note, subject, &[], words, CREATE_RULES, SOURCE)
}
