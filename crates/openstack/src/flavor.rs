//! Flavors: what a server is made of, and what of a GPU it asks for.
//! <https://docs.openstack.org/nova/latest/configuration/extra-specs.html>

use crate::client::{Ask, Client, PAGE, PAGES_MAX};
use crate::{OpenStackError, Service, server::too_many};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flavor {
    pub id: String,
    pub name: String,
    pub memory_mib: u64,
    pub cpus: u64,
    pub disk_gib: u64,
    pub ephemeral_gib: u64,
    pub specs: BTreeMap<String, String>,
}

/// What of a GPU a flavor asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuAsk {
    /// Resource classes with how many of each: `VGPU` 1.
    pub resources: BTreeMap<String, u64>,
    /// Aliases of `[pci]` in nova.conf with how many of each: what is behind them only the cloud's admin knows.
    pub aliases: Vec<(String, u64)>,
    /// Traits that a provider must have.
    pub traits: Vec<String>,
}

#[derive(Deserialize)]
struct Many {
    flavors: Vec<WireFlavor>,
    #[serde(default)]
    flavors_links: Vec<Value>,
}

#[derive(Deserialize)]
struct WireFlavor {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    ram: u64,
    #[serde(default)]
    vcpus: u64,
    #[serde(default)]
    disk: u64,
    #[serde(rename = "OS-FLV-EXT-DATA:ephemeral", default)]
    ephemeral: u64,
    extra_specs: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct WireSpecs {
    #[serde(default)]
    extra_specs: BTreeMap<String, String>,
}

impl Flavor {
    /// None: it asks for no GPU.
    pub fn gpu(&self) -> Option<GpuAsk> {
        let mut ask = GpuAsk::default();
        for (key, value) in &self.specs {
            if let Some((_, class)) = key.split_once(':').filter(|(start, _)| is_group(start, "resources")) {
                if is_gpu(class) {
                    *ask.resources.entry(class.to_owned()).or_default() += value.parse().unwrap_or(0);
                }
            } else if key == "pci_passthrough:alias" {
                ask.aliases.extend(value.split(',').filter_map(|one| {
                    let (name, count) = one.trim().split_once(':').unwrap_or((one.trim(), "1"));
                    (!name.is_empty()).then(|| (name.to_owned(), count.trim().parse().unwrap_or(1)))
                }));
            } else if let Some((_, name)) = key.split_once(':').filter(|(start, _)| is_group(start, "trait"))
                && value == "required"
            {
                ask.traits.push(name.to_owned());
            }
        }
        ask.resources.retain(|_, count| *count > 0);
        (!ask.resources.is_empty() || !ask.aliases.is_empty()).then_some(ask)
    }

    /// The query with which Placement is asked where it would fit, as Nova's scheduler asks.
    pub(crate) fn candidates_query(&self) -> Vec<(String, String)> {
        let mut classes: BTreeMap<String, u64> = BTreeMap::new();
        classes.insert("VCPU".into(), self.cpus);
        classes.insert("MEMORY_MB".into(), self.memory_mib);
        classes.insert("DISK_GB".into(), self.disk_gib + self.ephemeral_gib);
        let mut groups: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        let mut traits: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in &self.specs {
            let Some((start, name)) = key.split_once(':') else { continue };
            if start == "resources" {
                // What a flavor says of a class takes the place of what it has.
                classes.insert(name.to_owned(), value.parse().unwrap_or(0));
            } else if is_group(start, "resources") {
                groups.entry(start.to_owned()).or_default().insert(name.to_owned(), value.parse().unwrap_or(0));
            } else if is_group(start, "trait") {
                let word = start.replacen("trait", "required", 1);
                match value.as_str() {
                    "required" => traits.entry(word).or_default().push(name.to_owned()),
                    "forbidden" => traits.entry(word).or_default().push(format!("!{name}")),
                    _ => {}
                }
            }
        }
        groups.insert("resources".into(), classes);
        let numbered = groups.len() > 1;
        let join = |classes: BTreeMap<String, u64>| {
            let all: Vec<String> =
                classes.into_iter().filter(|(_, n)| *n > 0).map(|(class, n)| format!("{class}:{n}")).collect();
            all.join(",")
        };
        let mut query: Vec<(String, String)> = groups
            .into_iter()
            .map(|(group, classes)| (group, join(classes)))
            .filter(|(_, classes)| !classes.is_empty())
            .collect();
        query.extend(traits.into_iter().map(|(word, names)| (word, names.join(","))));
        if numbered {
            let policy = self.specs.get("group_policy").map_or("none", String::as_str);
            query.push(("group_policy".into(), policy.to_owned()));
        }
        query
    }
}

/// `resources`, `resources1`, `resources_GPU`.
fn is_group(start: &str, word: &str) -> bool {
    start.strip_prefix(word).is_some_and(|rest| {
        rest.is_empty() || rest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    })
}

/// Classes of GPUs: Nova's own, those of PCI devices in Placement, and what admins call theirs.
fn is_gpu(class: &str) -> bool {
    matches!(class, "VGPU" | "PGPU")
        || class.strip_prefix("CUSTOM_").is_some_and(|rest| rest.contains("GPU") || rest.starts_with("PCI_"))
}

impl Client {
    /// All flavors that the project may use, with their extra specs.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn flavors(&self) -> Result<Vec<Flavor>, OpenStackError> {
        let action = "list flavors";
        let with_specs = self.features().await?.specs_with_flavors;
        let mut flavors: Vec<Flavor> = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut query = vec![("limit", PAGE.to_string())];
            if let Some(last) = flavors.last() {
                query.push(("marker", last.id.clone()));
            }
            let ask = Ask { query: &query, ..Ask::get(Service::Compute, action, &["flavors", "detail"]) };
            let page: Many = self.ask(ask).await?;
            let last = page.flavors.is_empty() || page.flavors_links.is_empty();
            for wire in page.flavors {
                let specs = match wire.extra_specs {
                    Some(specs) => specs,
                    // Policy may keep them from members; then there are none to see.
                    None if with_specs => BTreeMap::new(),
                    None => {
                        let path = ["flavors", wire.id.as_str(), "os-extra_specs"];
                        let ask = Ask::get(Service::Compute, "show a flavor's extra specs", &path);
                        self.ask::<WireSpecs>(ask).await?.extra_specs
                    }
                };
                flavors.push(Flavor {
                    id: wire.id,
                    name: wire.name,
                    memory_mib: wire.ram,
                    cpus: wire.vcpus,
                    disk_gib: wire.disk,
                    ephemeral_gib: wire.ephemeral,
                    specs,
                });
            }
            if last {
                return Ok(flavors);
            }
        }
        Err(too_many(action, flavors.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flavor(specs: &[(&str, &str)]) -> Flavor {
        Flavor {
            id: "1".into(),
            name: "gpu".into(),
            memory_mib: 4096,
            cpus: 2,
            disk_gib: 20,
            ephemeral_gib: 0,
            specs: specs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        }
    }

    #[test]
    fn what_a_flavor_asks_of_a_gpu_is_read() {
        assert_eq!(flavor(&[("hw:cpu_policy", "dedicated"), ("trait:HW_CPU_X86_AVX2", "required")]).gpu(), None);
        let ask = flavor(&[("resources:VGPU", "1"), ("trait:CUSTOM_NVIDIA_35", "required")]).gpu().unwrap();
        assert_eq!(ask.resources, BTreeMap::from([("VGPU".into(), 1)]));
        assert_eq!(ask.traits, ["CUSTOM_NVIDIA_35"]);
        let ask = flavor(&[("pci_passthrough:alias", "a40:2, t4")]).gpu().unwrap();
        assert_eq!(ask.aliases, [("a40".into(), 2), ("t4".into(), 1)]);
        let ask = flavor(&[("resources1:VGPU", "1"), ("resources_B:CUSTOM_PCI_10DE_20F1", "2")]).gpu().unwrap();
        assert_eq!(ask.resources.len(), 2);
        assert_eq!(flavor(&[("resources:VGPU", "0")]).gpu(), None);
        assert_eq!(flavor(&[("resources:VGPU", "many"), ("pci_passthrough:alias", ",")]).gpu(), None);
    }

    #[test]
    fn placement_is_asked_as_nova_asks() {
        let query = |specs: &[(&str, &str)]| {
            let all: Vec<String> =
                flavor(specs).candidates_query().into_iter().map(|(key, value)| format!("{key}={value}")).collect();
            all.join("&")
        };
        assert_eq!(query(&[]), "resources=DISK_GB:20,MEMORY_MB:4096,VCPU:2");
        assert_eq!(
            query(&[
                ("resources:VGPU", "1"),
                ("trait:CUSTOM_A", "required"),
                ("trait:B", "forbidden"),
                ("resources:DISK_GB", "0")
            ]),
            "resources=MEMORY_MB:4096,VCPU:2,VGPU:1&required=!B,CUSTOM_A"
        );
        assert_eq!(
            query(&[("resources1:VGPU", "1"), ("trait1:CUSTOM_A", "required")]),
            "resources=DISK_GB:20,MEMORY_MB:4096,VCPU:2&resources1=VGPU:1&required1=CUSTOM_A&group_policy=none"
        );
    }
}
