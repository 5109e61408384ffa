//! What is wrong with a cloud, and how to mend it. Looks; changes nothing.

mod finds;
mod gpus;
mod rights;
mod volumes;

use crate::{Client, Cloud, OpenStackError, Options};
use oriel_model::{Finding, Severity, finding};

/// Looks at one region of a cloud after the other: at the one that is named, at those of the file, or at all that the cloud has.
pub async fn doctor(cloud: &Cloud, region: Option<&str>, options: &Options) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The sign-in is the same for all.
    let first = match Client::new(cloud, region, options.clone()) {
        Ok(client) => client,
        Err(error) => return vec![setup(cloud, &error)],
    };
    findings.push(finds::transport(cloud));
    let Some(token) = finds::sign_in(&mut findings, &first, &cloud.name).await else { return findings };
    findings.extend(rights::rights(&token, &cloud.name));
    let regions: Vec<String> = match region {
        Some(one) => vec![one.to_owned()],
        None if !cloud.regions.is_empty() => cloud.regions.clone(),
        None => token.catalog.regions().into_iter().map(str::to_owned).collect(),
    };
    if regions.is_empty() {
        let words = "the catalog has no Nova in any region: there is nothing to make desktops with".to_owned();
        let fix = "openstack catalog list   # is this the right project, and the right interface?";
        findings.push(finding("endpoint-compute", Severity::Error, &cloud.name, &[], words, fix, CATALOG));
    }
    for region in &regions {
        match Client::new(cloud, Some(region), options.clone()) {
            Ok(client) => {
                let subject = if regions.len() > 1 { format!("{}/{region}", cloud.name) } else { cloud.name.clone() };
                finds::region(&mut findings, &client, &token, &subject).await;
            }
            Err(error) => findings.push(setup(cloud, &error)),
        }
    }
    findings
}

pub(crate) const CREATE_RULES: &str =
    "oriel cloud access-rules >rules.json\nopenstack application credential create oriel --access-rules rules.json";

pub(crate) const CATALOG: &str = "https://docs.openstack.org/keystone/latest/contributor/service-catalog.html";

fn setup(cloud: &Cloud, error: &OpenStackError) -> Finding {
    let fix = "look at `cacert:` of this cloud in clouds.yaml";
    finding("transport", Severity::Error, &cloud.name, &[], error.to_string(), fix, CLOUDS_YAML)
}

pub(crate) const CLOUDS_YAML: &str = "https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html";
