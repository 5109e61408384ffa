//! Of a cloud: flavors that ask for GPUs, and whether there are any.

use crate::{Client, Flavor, why::asked};
use oriel_model::{Finding, Severity, finding};

const SOURCE: &str = "https://docs.openstack.org/nova/latest/admin/virtual-gpu.html";
/// Flavors whose places are looked for, one call each.
const FLAVORS_MAX: usize = 20;

pub async fn gpus(client: &Client, flavors: &[Flavor], placement: bool, subject: &str) -> Vec<Finding> {
    let with: Vec<&Flavor> = flavors.iter().filter(|flavor| flavor.gpu().is_some()).collect();
    if with.is_empty() {
        let words = "no flavor that this project may use asks for a GPU: desktops are without".to_owned();
        let fix = "openstack flavor set FLAVOR --property resources:VGPU=1   # where the cloud has GPUs; by its admin";
        return vec![finding("gpu-flavors", Severity::Note, subject, &[], words, fix, SOURCE)];
    }
    let mut findings = Vec::new();
    for flavor in with.into_iter().take(FLAVORS_MAX) {
        let evidence = [("flavor", format!("{}: {}", flavor.name, asked(flavor)))];
        let ask = flavor.gpu().unwrap_or_default();
        let say = |severity, words, fix| finding("gpu-flavors", severity, subject, &evidence, words, fix, SOURCE);
        // What is behind an alias only nova.conf knows, unless PCI devices are in Placement.
        if ask.resources.is_empty() {
            let words = format!(
                "flavor {} asks for PCI devices by alias: how many are free is not known before Nova tries",
                flavor.name
            );
            let fix = "set [pci] report_in_placement = True on the cloud's compute hosts, and they are counted (Nova 2023.1 or newer)";
            findings.push(say(Severity::Note, words, fix));
            continue;
        }
        if !placement {
            let words =
                format!("flavor {} asks for a GPU, and without Placement nobody says what is free", flavor.name);
            findings.push(say(Severity::Warning, words, "openstack catalog list   # placement must be in it"));
            continue;
        }
        findings.push(match client.candidates(flavor).await {
            Ok(found) if found.count > 0 => {
                let free: Vec<String> = ask
                    .resources
                    .keys()
                    .map(|class| format!("{} {class}", found.free.get(class).copied().unwrap_or(0)))
                    .collect();
                say(Severity::Ok, format!("flavor {} fits: {} free", flavor.name, free.join(", ")), "")
            }
            Ok(_) => match client.fits(flavor).await {
                Ok(Err(why)) => say(Severity::Warning, why, "openstack allocation candidate list --resource VGPU=1   # what Placement counts"),
                _ => say(Severity::Ok, format!("flavor {} fits", flavor.name), ""),
            },
            Err(error) if error.is_forbidden() => {
                let words = format!(
                    "flavor {} asks for a GPU; these credentials may not ask Placement, so a full cloud is noticed only when a desktop fails",
                    flavor.name
                );
                let fix = "let the project read it in Placement's policy.yaml: \"placement:allocation_candidates:list\": \"role:member\"";
                say(Severity::Note, words, fix)
            }
            Err(error) => say(Severity::Warning, error.to_string(), "the log of placement-api says why"),
        });
    }
    findings
}
