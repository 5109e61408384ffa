//! Placement: what there is, what of it is used, and where a flavor would fit.
//! <https://docs.openstack.org/api-ref/placement/>

use crate::client::{Ask, Client};
use crate::{Flavor, OpenStackError, Service};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Most places that are asked for; how many there are beyond is of no interest.
const CANDIDATES_MAX: usize = 1000;
/// Most providers whose inventories are read.
pub const PROVIDERS_MAX: usize = 200;

/// Where a flavor would fit now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Ways in which it would fit; 0: nowhere.
    pub count: usize,
    /// Of each class, what is free on the providers that take part.
    pub free: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Provider {
    pub uuid: String,
    #[serde(default)]
    pub name: String,
    /// None: it is a host.
    pub parent_provider_uuid: Option<String>,
}

/// What a provider has of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// What can be handed out, by the cloud's ratio and without what it keeps back.
    pub capacity: u64,
    pub used: u64,
}

#[derive(Deserialize)]
struct WireCandidates {
    #[serde(default)]
    allocation_requests: Vec<serde::de::IgnoredAny>,
    #[serde(default)]
    provider_summaries: BTreeMap<String, Summary>,
}

#[derive(Deserialize)]
struct Summary {
    #[serde(default)]
    resources: BTreeMap<String, WireUse>,
}

#[derive(Deserialize)]
struct WireUse {
    #[serde(default)]
    capacity: u64,
    #[serde(default)]
    used: u64,
}

#[derive(Deserialize)]
struct Providers {
    resource_providers: Vec<Provider>,
}

#[derive(Deserialize)]
struct Inventories {
    #[serde(default)]
    inventories: BTreeMap<String, WireInventory>,
}

#[derive(Deserialize)]
struct WireInventory {
    #[serde(default)]
    total: u64,
    #[serde(default)]
    reserved: u64,
    #[serde(default = "one")]
    allocation_ratio: f64,
}

#[derive(Deserialize)]
struct Usages {
    #[serde(default)]
    usages: BTreeMap<String, u64>,
}

const fn one() -> f64 {
    1.0
}

impl Client {
    /// Where a server of this flavor would fit right now, as Nova's scheduler would ask. Nothing is held: somebody may be quicker.
    ///
    /// # Errors
    /// The cloud refuses (Placement is for admins unless its policy says otherwise) or fails.
    pub async fn candidates(&self, flavor: &Flavor) -> Result<Candidates, OpenStackError> {
        let mut query = flavor.candidates_query();
        query.push(("limit".into(), CANDIDATES_MAX.to_string()));
        let query: Vec<(&str, String)> = query.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        let ask = Ask { query: &query, ..Ask::get(Service::Placement, "find places", &["allocation_candidates"]) };
        let said: WireCandidates = self.ask(ask).await?;
        let mut free: BTreeMap<String, u64> = BTreeMap::new();
        for (class, it) in said.provider_summaries.into_values().flat_map(|one| one.resources) {
            let sum = free.entry(class).or_default();
            *sum = sum.saturating_add(it.capacity.saturating_sub(it.used));
        }
        Ok(Candidates { count: said.allocation_requests.len(), free })
    }

    /// What the cloud has of these classes, over its first [`PROVIDERS_MAX`] providers: one call each, and one more for each that has any.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn inventory(&self, classes: &BTreeSet<String>) -> Result<BTreeMap<String, Inventory>, OpenStackError> {
        let mut all: BTreeMap<String, Inventory> =
            classes.iter().map(|class| (class.clone(), Inventory::default())).collect();
        let providers: Providers =
            self.ask(Ask::get(Service::Placement, "list providers", &["resource_providers"])).await?;
        for provider in providers.resource_providers.iter().take(PROVIDERS_MAX) {
            let path = ["resource_providers", provider.uuid.as_str(), "inventories"];
            let has: Inventories = self.ask(Ask::get(Service::Placement, "show inventories", &path)).await?;
            if !has.inventories.keys().any(|class| classes.contains(class)) {
                continue;
            }
            let path = ["resource_providers", provider.uuid.as_str(), "usages"];
            let used: Usages = self.ask(Ask::get(Service::Placement, "show usages", &path)).await?;
            for (class, sum) in &mut all {
                let Some(has) = has.inventories.get(class) else { continue };
                let capacity = has.total.saturating_sub(has.reserved) as f64 * has.allocation_ratio.clamp(0.0, 1e6);
                sum.capacity = sum.capacity.saturating_add(capacity as u64);
                sum.used = sum.used.saturating_add(used.usages.get(class).copied().unwrap_or(0));
            }
        }
        Ok(all)
    }
}
