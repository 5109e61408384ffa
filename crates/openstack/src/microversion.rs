//! Microversions: which one both sides know, and what each brings.
//! <https://docs.openstack.org/nova/latest/reference/api-microversion-history.html>

use crate::{OpenStackError, Service};
use serde::Deserialize;
use std::{fmt, str::FromStr};

/// The oldest Nova that Oriel speaks with (Queens, 2018).
pub const COMPUTE_MIN: Microversion = Microversion(2, 60);
/// The newest whose answers Oriel was made for (2024.1). Newer clouds are asked in this one.
pub const COMPUTE_KNOWN_MAX: Microversion = Microversion(2, 96);
/// Placement counts nested providers (a card within a host) since 1.29.
pub(crate) const PLACEMENT_MIN: Microversion = Microversion(1, 29);
pub(crate) const PLACEMENT_KNOWN_MAX: Microversion = Microversion(1, 39);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Microversion(pub u16, pub u16);

impl fmt::Display for Microversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl FromStr for Microversion {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (major, minor) = text.split_once('.').ok_or(())?;
        let number = |text: &str| if text.len() <= 5 { text.parse().map_err(|_| ()) } else { Err(()) };
        Ok(Self(number(major)?, number(minor)?))
    }
}

/// What a service says that it speaks, and what is spoken with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    pub min: Microversion,
    pub max: Microversion,
    pub spoken: Microversion,
}

/// `GET` of a service's root says either one version or several.
#[derive(Deserialize)]
pub(crate) struct WireVersions {
    version: Option<WireVersion>,
    #[serde(default)]
    versions: Vec<WireVersion>,
}

#[derive(Deserialize)]
struct WireVersion {
    #[serde(default)]
    id: String,
    #[serde(default)]
    min_version: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    max_version: String,
}

impl WireVersions {
    /// The span of `wanted` (`v2.1`, `v1.0`).
    pub(crate) fn span(&self, wanted: &str) -> Option<(Microversion, Microversion)> {
        let all = || self.version.iter().chain(&self.versions);
        let one = all().find(|one| one.id == wanted).or_else(|| all().next())?;
        let max = if one.max_version.is_empty() { &one.version } else { &one.max_version };
        Some((one.min_version.parse().ok()?, max.parse().ok()?))
    }
}

/// The newest version that both know.
pub(crate) fn negotiate(
    service: Service,
    (its_min, its_max): (Microversion, Microversion),
    (ours_min, ours_max): (Microversion, Microversion),
) -> Result<Versions, OpenStackError> {
    let spoken = its_max.min(ours_max);
    if spoken < ours_min || spoken < its_min {
        return Err(OpenStackError::NoCommonVersion { service, its_min, its_max, ours_min, ours_max });
    }
    Ok(Versions { min: its_min, max: its_max, spoken })
}

/// What a Nova can do, by the version that is spoken with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Flavors come with their extra specs (2.61); before, each is asked for.
    pub specs_with_flavors: bool,
    /// A server group has one policy, by its word (2.64); before, a list of one.
    pub one_policy: bool,
    /// The volume that is made with a server may be of a type that is said (2.67).
    pub volume_types: bool,
    /// A server is made on a named host, by an admin (2.74).
    pub named_host: bool,
    /// Extra specs are checked when they are written (2.86).
    pub checked_specs: bool,
    /// A server has a host name of its own (2.90).
    pub hostname: bool,
    /// A server whose disk is a volume can be rebuilt from another image (2.93).
    pub volume_rebuild: bool,
}

impl Features {
    pub fn of(version: Microversion) -> Self {
        let since = |minor| version >= Microversion(2, minor);
        Self {
            specs_with_flavors: since(61),
            one_policy: since(64),
            volume_types: since(67),
            named_host: since(74),
            checked_specs: since(86),
            hostname: since(90),
            volume_rebuild: since(93),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_spoken() {
        let spoken = |its, ours| negotiate(Service::Compute, its, ours).map(|versions| versions.spoken);
        let v = |minor| Microversion(2, minor);
        assert_eq!(spoken((v(1), v(93)), (v(60), v(96))).unwrap(), v(93));
        assert_eq!(spoken((v(1), v(104)), (v(60), v(96))).unwrap(), v(96));
        assert_eq!(
            spoken((v(1), v(53)), (v(60), v(96))).unwrap_err().to_string(),
            "Nova speaks 2.1 to 2.53, and Oriel 2.60 to 2.96: one of them is too old for the other"
        );
        spoken((v(97), v(120)), (v(60), v(96))).unwrap_err();
    }

    #[test]
    fn versions_are_numbers_and_nothing_else() {
        assert_eq!("2.93".parse(), Ok(Microversion(2, 93)));
        assert!(Microversion(2, 100) > Microversion(2, 93));
        for text in ["", "2", "2.", ".1", "2.1.3", "latest", "2.-1", "2.99999999", "99999.1"] {
            assert_eq!(text.parse::<Microversion>(), Err(()), "{text}");
        }
    }
}
