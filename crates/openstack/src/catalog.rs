//! Where a cloud's services are, as the token's catalog says.

use crate::{Interface, OpenStackError};
use serde::Deserialize;
use std::fmt;
use url::Url;

/// Most services, and most endpoints of one, that are looked at.
const SERVICES_MAX: usize = 256;
const ENDPOINTS_MAX: usize = 512;

/// What Oriel talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    Identity,
    Compute,
    Image,
    Network,
    Placement,
    BlockStorage,
}

impl Service {
    /// Its type in the catalog, and what it was called before.
    /// <https://specs.openstack.org/openstack/service-types-authority/>
    pub const fn types(self) -> &'static [&'static str] {
        match self {
            Self::Identity => &["identity"],
            Self::Compute => &["compute"],
            Self::Image => &["image"],
            Self::Network => &["network"],
            Self::Placement => &["placement"],
            Self::BlockStorage => &["block-storage", "volumev3", "block-store", "volume"],
        }
    }

    /// What stands before every path, unless the endpoint has it.
    const fn version(self) -> &'static str {
        match self {
            Self::Identity => "v3",
            Self::Compute => "v2.1",
            Self::Image => "v2",
            Self::Network => "v2.0",
            Self::BlockStorage => "v3",
            Self::Placement => "",
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Identity => "Keystone",
            Self::Compute => "Nova",
            Self::Image => "Glance",
            Self::Network => "Neutron",
            Self::Placement => "Placement",
            Self::BlockStorage => "Cinder",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One door of one service in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub kind: String,
    pub interface: String,
    pub region: String,
    pub url: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    pub endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
pub(crate) struct WireService {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    endpoints: Vec<WireEndpoint>,
}

#[derive(Deserialize)]
struct WireEndpoint {
    #[serde(default)]
    interface: String,
    region_id: Option<String>,
    region: Option<String>,
    #[serde(default)]
    url: String,
}

impl From<Vec<WireService>> for Catalog {
    fn from(services: Vec<WireService>) -> Self {
        let mut endpoints = Vec::new();
        for service in services.into_iter().take(SERVICES_MAX) {
            for endpoint in service.endpoints.into_iter().take(ENDPOINTS_MAX) {
                endpoints.push(Endpoint {
                    kind: service.kind.clone(),
                    interface: endpoint.interface,
                    region: endpoint.region_id.or(endpoint.region).unwrap_or_default(),
                    url: endpoint.url,
                });
            }
        }
        Self { endpoints }
    }
}

impl Catalog {
    /// All regions in which there is a Nova.
    pub fn regions(&self) -> Vec<&str> {
        let mut regions: Vec<&str> = self
            .endpoints
            .iter()
            .filter(|endpoint| Service::Compute.types().contains(&endpoint.kind.as_str()))
            .map(|endpoint| endpoint.region.as_str())
            .collect();
        regions.sort_unstable();
        regions.dedup();
        regions
    }

    /// The address below which a service's paths lie, with its version.
    ///
    /// # Errors
    /// The catalog has none, or what it has is no address.
    pub fn url(&self, service: Service, interface: Interface, region: &str) -> Result<Url, OpenStackError> {
        let lacking = || {
            let mut there: Vec<&str> =
                self.endpoints.iter().filter(|one| one.region == region).map(|one| one.kind.as_str()).collect();
            there.sort_unstable();
            there.dedup();
            there.truncate(20);
            let there = if there.is_empty() { "nothing there".to_owned() } else { there.join(", ") };
            OpenStackError::NoService { service, region: region.to_owned(), there }
        };
        let of = |kind: &&str| {
            self.endpoints
                .iter()
                .find(|one| one.kind == **kind && one.region == region && one.interface == interface.word())
        };
        let endpoint = service.types().iter().find_map(of).ok_or_else(lacking)?;
        with_version(&endpoint.url, service).ok_or_else(lacking)
    }
}

/// `http://cloud/compute/v2.1/PROJECT` → `http://cloud/compute/v2.1`; `http://cloud:9292` → `http://cloud:9292/v2`.
fn with_version(text: &str, service: Service) -> Option<Url> {
    let mut url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
    url.set_query(None);
    url.set_fragment(None);
    let mut parts: Vec<&str> = url.path_segments()?.filter(|part| !part.is_empty()).collect();
    if !service.version().is_empty() {
        // What stands behind a version is the project's id, of old; and /v2 of Nova is a Nova that went away in 2018.
        let is_version = |part: &&str| {
            part.strip_prefix('v')
                .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
        };
        if let Some(at) = parts.iter().position(is_version) {
            parts.truncate(at);
        }
        parts.push(service.version());
    }
    let path = format!("/{}", parts.join("/"));
    url.set_path(&path);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_as_clouds_write_them_get_their_version() {
        for (text, service, want) in [
            ("http://c:8774/v2.1", Service::Compute, "http://c:8774/v2.1"),
            ("http://c:8774", Service::Compute, "http://c:8774/v2.1"),
            ("https://c/compute/v2.1/0a1b2c", Service::Compute, "https://c/compute/v2.1"),
            ("http://c:8774/v2/0a1b2c", Service::Compute, "http://c:8774/v2.1"),
            ("https://c/image", Service::Image, "https://c/image/v2"),
            ("http://c:9696/", Service::Network, "http://c:9696/v2.0"),
            ("http://c/networking/v2.0/", Service::Network, "http://c/networking/v2.0"),
            ("https://c/placement", Service::Placement, "https://c/placement"),
            ("http://c:5000/v3/", Service::Identity, "http://c:5000/v3"),
        ] {
            assert_eq!(with_version(text, service).unwrap().as_str(), want, "{text}");
        }
        for text in ["", "nonsense", "ftp://c/", "http://"] {
            assert!(with_version(text, Service::Compute).is_none(), "{text}");
        }
    }

    #[test]
    fn the_right_door_of_the_right_region_is_taken() {
        let endpoint = |kind: &str, interface: &str, region: &str, url: &str| Endpoint {
            kind: kind.into(),
            interface: interface.into(),
            region: region.into(),
            url: url.into(),
        };
        let catalog = Catalog {
            endpoints: vec![
                endpoint("compute", "internal", "north", "http://inner:8774"),
                endpoint("compute", "public", "north", "http://north:8774"),
                endpoint("compute", "public", "south", "http://south:8774"),
                endpoint("volumev3", "public", "south", "http://south:8776/v3/1234"),
            ],
        };
        assert_eq!(catalog.regions(), ["north", "south"]);
        let url = |service, interface, region| catalog.url(service, interface, region).map(|url| url.to_string());
        assert_eq!(url(Service::Compute, Interface::Internal, "north").unwrap(), "http://inner:8774/v2.1");
        assert_eq!(url(Service::Compute, Interface::Public, "south").unwrap(), "http://south:8774/v2.1");
        assert_eq!(url(Service::BlockStorage, Interface::Public, "south").unwrap(), "http://south:8776/v3");
        assert_eq!(
            url(Service::Image, Interface::Public, "south").unwrap_err().to_string(),
            "the cloud's catalog has no Glance in south; it has compute, volumev3"
        );
    }
}
